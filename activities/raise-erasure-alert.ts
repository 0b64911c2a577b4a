import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { activityInfo } from '@temporalio/activity'
import { EbbError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { ErasureActivities } from '../schemas/erasure.ts'
import { ALERTS_FILE } from './raise-alert.ts'

const MESSAGES = {
  overdue: 'An erasure has passed its deadline without a certificate.',
  survivors: 'Something of an erased person was found: no certificate is issued until it is gone.',
  store: 'An erasure waits for a store that cannot be reached or keeps a copy past its date.',
} as const

/** Tells an operator: a log line of level error, and one line in the alerts file, also when an attempt is repeated. */
export function createRaiseErasureAlert(deps: {
  reportsFolder: string
  logger: Logger
  now(): number
}): ErasureActivities['raiseErasureAlert'] {
  return async ({ requestId, kind, store }) => {
    const info = activityInfo()
    const id = `${info.workflowExecution?.runId}/${info.activityId}`
    const message = MESSAGES[kind]
    deps.logger.error({ alert: `erasure_${kind}`, requestId, store }, message)
    try {
      await mkdir(deps.reportsFolder, { recursive: true })
      const file = join(deps.reportsFolder, ALERTS_FILE)
      const written = await readFile(file, 'utf8').catch(() => '')
      if (written.includes(`"id":"${id}"`)) return
      const line = {
        id,
        at: new Date(deps.now()).toISOString(),
        kind: `erasure_${kind}`,
        requestId,
        store,
        message,
      }
      await appendFile(file, `${JSON.stringify(line)}\n`)
    } catch (cause) {
      throw new EbbError('report_unwritable', 'the alerts file cannot be written', { cause })
    }
  }
}
