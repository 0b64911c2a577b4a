import type { Config } from '../runtime/config.ts'
import { createFileKeyProvider, createFileKeyReader } from './file-key-provider.ts'
import type { KeyProvider, KeyReader } from './key-provider.ts'

/** The key provider that the configuration names. @throws EbbError as `createFileKeyProvider` */
export async function openKeyProvider(config: Config): Promise<KeyProvider> {
  const { keyProvider } = config
  return keyProvider.kind === 'file' ? createFileKeyProvider(config.keyFile) : openKms(config, keyProvider)
}

/**
 * The same one for the verifier: by its own cloud credentials where it has some; a key file is read, and neither made nor
 * changed. @throws EbbError as `createFileKeyReader`
 */
export async function openKeyReader(config: Config): Promise<KeyReader> {
  const { keyProvider, verifier } = config
  return keyProvider.kind === 'file'
    ? createFileKeyReader(config.keyFile)
    : openKms(config, keyProvider, verifier.aws)
}

async function openKms(
  { s3 }: Config,
  { region, endpoint }: Extract<Config['keyProvider'], { kind: 'kms' }>,
  credentials?: Config['verifier']['aws'],
): Promise<KeyProvider> {
  // Loaded only where it is used: AWS's SDK takes a while to load, and memory.
  const { createKmsKeyProvider } = await import('./kms-key-provider.ts')
  return createKmsKeyProvider({ region, endpoint, aliasPrefix: s3.bucketPrefix, credentials })
}
