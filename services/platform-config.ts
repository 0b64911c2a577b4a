import { type Config, readConfig } from '../runtime/config.ts'
import { type PlatformRecord, readPlatform } from './platform-file.ts'

/**
 * The configuration of the platform that runs in this home, as `ebb up` chose its ports; keys given in the environment
 * win. Without a running platform: the environment and the defaults.
 */
export async function readPlatformConfig(
  environment: Record<string, string | undefined> = process.env,
): Promise<{ config: Config; platform: PlatformRecord | null }> {
  const { home } = readConfig(environment)
  const platform = await readPlatform(home)
  return { config: readConfig({ ...platform?.environment, ...environment }), platform }
}
