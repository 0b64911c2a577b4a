import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { activityInfo } from '@temporalio/activity'
import { EbbError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { EtlActivities } from '../schemas/etl.ts'

/** One JSON line an alert, oldest first. */
export const ALERTS_FILE = 'alerts.jsonl'

/**
 * Tells an operator: a log line of level error, and one line in the alerts file. `id` is the activity's own (run and
 * activity id), so that an attempt that wrote and then lost its answer is not written twice.
 */
export function createRaiseAlert(
  reportsFolder: string,
  logger: Logger,
  now: () => number,
): EtlActivities['raiseAlert'] {
  return async (alert) => {
    const info = activityInfo()
    const id = `${info.workflowExecution?.runId}/${info.activityId}`
    logger.error({ alert: alert.kind, day: alert.day, rows: alert.drifted.length }, alert.message)
    try {
      await mkdir(reportsFolder, { recursive: true })
      const file = join(reportsFolder, ALERTS_FILE)
      const written = await readFile(file, 'utf8').catch(() => '')
      if (written.includes(`"id":"${id}"`)) return
      await appendFile(file, `${JSON.stringify({ id, at: new Date(now()).toISOString(), ...alert })}\n`)
    } catch (cause) {
      throw new EbbError('report_unwritable', 'the alerts file cannot be written', { cause })
    }
  }
}
