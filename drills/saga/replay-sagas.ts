import { Client } from '@temporalio/client'
import { Worker } from '@temporalio/worker'
import { connectTemporal } from '../../cli/connect-temporal.ts'
import type { Config } from '../../runtime/config.ts'
import { erasureWorkflowId } from '../../schemas/erasure-messages.ts'
import { bundleWorkflows } from '../../workers/temporal/bundle-workflows.ts'
import { quietTemporal } from '../../workers/temporal/quiet-temporal.ts'

/**
 * Goes through the history of each saga once more. Whatever was killed, a saga must do on the way what it did: one that does not stands
 * still when its worker is started anew, and nobody sees why.
 * @returns what went otherwise, by workflow
 */
export async function replaySagas(config: Config, requestIds: readonly string[]): Promise<string[]> {
  quietTemporal()
  const { address, namespace } = config.temporal
  const connection = await connectTemporal(address)
  const { workflow } = new Client({ connection, namespace })
  const failed: string[] = []
  async function* histories() {
    for (const requestId of requestIds) {
      const workflowId = erasureWorkflowId(requestId)
      const history = await workflow
        .getHandle(workflowId)
        .fetchHistory()
        .catch(() => undefined)
      if (history) yield { workflowId, history }
      else failed.push(`${workflowId}: it has no history`)
    }
  }
  try {
    const workflowBundle = await bundleWorkflows()
    for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, histories()))
      if (error) failed.push(`${workflowId}: ${String(error).slice(0, 300)}`)
    return failed
  } finally {
    await connection.close()
  }
}
