import { createKeyActivities } from '../../activities/rotate-keys.ts'
import { createPostgres } from '../../postgres/client.ts'
import { openKeyProvider } from '../../postgres/open-key-provider.ts'
import type { Config } from '../../runtime/config.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { KeyActivities } from '../../schemas/keys.ts'

/**
 * The rotation's activities over the real keyring and key provider.
 * @param shipWal brings what was written into the backups: none of before opens once the old keys are gone
 */
export async function openKeys(
  config: Config,
  logger: Logger,
  shipWal: () => Promise<unknown>,
): Promise<{ activities: KeyActivities; close(): Promise<void> }> {
  const { keyringUrl } = config.postgres
  const keyrings = createPostgres(keyringUrl, { connections: 1 })
  const provider = await openKeyProvider(config)
  return {
    activities: createKeyActivities({
      keyrings,
      keyringUrl,
      provider,
      logger,
      beforeDestroying: async () => void (await shipWal()),
    }),
    close: () => keyrings.close(),
  }
}
