import type { Logger } from './logger.ts'

/**
 * Runs `stop` once on SIGTERM or SIGINT and ends the process; a stop that hangs is cut off after `timeoutMs`,
 * so that a supervisor never waits for ever.
 */
export function onShutdown(logger: Logger, stop: () => Promise<void>, timeoutMs = 25_000): void {
  let stopping = false
  const shutdown = (signal: string) => {
    if (stopping) return
    stopping = true
    logger.info({ signal }, 'stopping')
    setTimeout(() => process.exit(1), timeoutMs).unref()
    stop().then(
      () => process.exit(0),
      (error) => {
        logger.error({ err: nameAndCode(error) }, 'stop failed')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', () => shutdown('SIGTERM'))
  process.on('SIGINT', () => shutdown('SIGINT'))
}

/** Messages stay out of the log: libraries quote what they choked on, and that may be a person's data. */
function nameAndCode(error: unknown): { name: string; code?: string } {
  if (!(error instanceof Error)) return { name: typeof error }
  const { code } = error as { code?: unknown }
  return { name: error.name, ...(typeof code === 'string' && { code }) }
}
