import { readFile } from 'node:fs/promises'
import { formatPublicKey, type PublicKey } from '../../certificates/public-key.ts'
import { parseTrustedKeys } from '../../certificates/trusted-keys.ts'
import { readConfig } from '../../runtime/config.ts'
import { createLogger } from '../../runtime/logger.ts'
import { createMetrics, serveMetrics } from '../../runtime/metrics.ts'
import { onShutdown } from '../../runtime/shutdown.ts'
import { serveWitness } from './serve-witness.ts'
import { openWitnessKey } from './witness-key.ts'
import { openWitnessState } from './witness-state.ts'

// Remembers the largest head of each log that it watches, and cosigns only what extends it. It knows nothing else: no
// database, no bucket. One that the log's owner runs is a convenience; independence is another owner's machine.
const config = readConfig()
const logger = createLogger('witness', config.logLevel)
const { folder, host, port, logsFile } = config.witness

/** Read for each request: a log that is added or a key that is new needs no restart. Without the file, no log is known. */
async function watchedLogs(): Promise<PublicKey[]> {
  const text = await readFile(logsFile, 'utf8').catch(() => '')
  return parseTrustedKeys(text).logs
}

try {
  const signer = await openWitnessKey(folder, `${config.log.origin.split('/')[0]}/witness`)
  const state = await openWitnessState(folder)
  const witness = await serveWitness({ signer, watchedLogs }, state, {
    host,
    port,
    nowSeconds: () => Math.floor(Date.now() / 1_000),
  })
  const metrics = await serveMetrics(createMetrics('witness'), config.metricsPort, () => true)
  onShutdown(logger, async () => {
    await Promise.all([witness.close(), metrics.close()])
  })
  logger.info({ port: witness.port, key: formatPublicKey(signer.key) }, 'ready')
} catch (error) {
  logger.fatal({ code: (error as { code?: unknown }).code ?? 'internal' }, 'witness ends')
  process.exit(1)
}
