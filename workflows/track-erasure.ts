import { defineSearchAttributeKey } from '@temporalio/common'
import { defineQuery, setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow'
import type { ErasureStatus, RequestState } from '../schemas/erasure.ts'
import { ERASURE_MESSAGES } from '../schemas/erasure-messages.ts'
import { stageAttribute } from './track-progress.ts'

export const statusQuery = defineQuery<ErasureStatus>(ERASURE_MESSAGES.status)

// Names and types as in schemas/search-attributes.ts; a test holds them together.
export const appAttribute = defineSearchAttributeKey('EbbApp', 'KEYWORD')
export const deadlineAttribute = defineSearchAttributeKey('EbbDeadline', 'DATETIME')
export const overdueAttribute = defineSearchAttributeKey('EbbOverdue', 'BOOL')
export const blockedStoreAttribute = defineSearchAttributeKey('EbbBlockedStore', 'KEYWORD')

export interface ErasureTracker {
  readonly status: ErasureStatus
  opened(app: string, dueMs: number): void
  /** Runs one step under its name; a failure leaves its stage standing. A repeat replaces the step's earlier outcome. */
  step<T>(stage: string, work: () => Promise<T>, outcome: (result: T) => string): Promise<T>
  /** Says a stage without a step of its own: a wait, the end. */
  say(stage: string, state?: RequestState): void
  /** @param unreachable whether the store gave no answer, as against keeping something */
  blockedOn(store: string | null, unreachable?: boolean): void
  overdue(): void
}

/**
 * Keeps what an operator sees of an erasure in step with what it does: search attributes, the current details (Markdown in
 * Temporal's UI) and the `status` query.
 */
export function trackErasure(requestId: string): ErasureTracker {
  const status: ErasureStatus = {
    state: 'received',
    stage: 'starting',
    blockedStore: null,
    unreachable: false,
    dueMs: 0,
    done: [],
    certificates: [],
  }
  let late = false
  setHandler(statusQuery, () => status, { description: 'Stage, deadline, blocked store, what is done.' })

  const show = (): void => {
    const lines = [
      `### Erasure ${requestId}`,
      ...status.done.map((step) => `- ✓ ${step.stage}: ${step.outcome}`),
      `- **${status.stage}**`,
    ]
    if (status.blockedStore)
      lines.push('', `Waits for **${status.blockedStore}**; \`retryStore\` tries at once.`)
    if (status.dueMs > 0) {
      lines.push('', `${late ? '**Overdue** since' : 'Due by'} ${new Date(status.dueMs).toISOString()}`)
    }
    setCurrentDetails(lines.join('\n'))
  }
  const say: ErasureTracker['say'] = (stage, state) => {
    status.stage = stage
    if (state) status.state = state
    upsertSearchAttributes([{ key: stageAttribute, value: stage }])
    show()
  }
  return {
    status,
    say,
    opened(app, dueMs) {
      status.dueMs = dueMs
      upsertSearchAttributes([
        { key: appAttribute, value: app },
        { key: deadlineAttribute, value: new Date(dueMs) },
      ])
    },
    async step(stage, work, outcome) {
      say(stage)
      const result = await work()
      const entry = { stage, outcome: outcome(result) }
      const earlier = status.done.findIndex((step) => step.stage === stage)
      if (earlier >= 0) status.done.splice(earlier, 1)
      status.done.push(entry)
      return result
    },
    blockedOn(store, unreachable = false) {
      status.unreachable = unreachable
      if (status.blockedStore === store) return
      status.blockedStore = store
      upsertSearchAttributes([{ key: blockedStoreAttribute, value: store }])
      show()
    },
    overdue() {
      late = true
      upsertSearchAttributes([{ key: overdueAttribute, value: true }])
      show()
    },
  }
}
