import type { Config } from '../runtime/config.ts'
import { createFileKeyProvider } from './file-key-provider.ts'
import type { KeyProvider } from './key-provider.ts'

/** The key provider that the configuration names. @throws EbbError as `createFileKeyProvider` */
export async function openKeyProvider(config: Config): Promise<KeyProvider> {
  if (config.keyProvider.kind === 'file') return createFileKeyProvider(config.keyFile)
  const { region, endpoint } = config.keyProvider
  // Loaded only where it is used: AWS's SDK takes a while to load, and memory.
  const { createKmsKeyProvider } = await import('./kms-key-provider.ts')
  return createKmsKeyProvider({ region, endpoint, aliasPrefix: config.s3.bucketPrefix })
}
