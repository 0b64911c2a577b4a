import { type Logger, pino } from 'pino'

export type { Logger }

/** JSON lines on stdout, one field `process` for who speaks. Callers log codes and counts, never ids or bodies. */
export function createLogger(processName: string, level: string): Logger {
  return pino({ level, base: { process: processName }, timestamp: pino.stdTimeFunctions.isoTime })
}
