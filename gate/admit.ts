import type { DropCode, RejectCode } from '../schemas/reject-code.ts'
import type { AdmitContext } from './admit-context.ts'
import { createAdmission } from './admit-event.ts'
import { isLarger, MAX_EVENT_BYTES } from './is-deep.ts'
import type { Person } from './person.ts'
import type { ParsedBatch } from './read-batch.ts'
import { settleDrops, startWork } from './work.ts'

export interface Rejected {
  /** Position in the batch. */
  index: number
  code: RejectCode
  /** Name of the definition where one is known, else ''. */
  event: string
  /** Name of the declared property that is wrong or missing, else ''. Never a name that only the client chose. */
  property: string
}

export interface Admitted {
  persons: Person[]
  /** In the order of the batch. */
  rejected: Rejected[]
  /** Dropped fields of accepted events, by code. */
  dropped: Map<DropCode, number>
  /** Events that passed; with `rejected` it adds up to the batch. Repeats of a message id pass but make no second row. */
  accepted: number
  /** What `tokenise` needs to know of the batch. */
  stamp: BatchStamp
}

export interface BatchStamp {
  app: string
  /** Milliseconds since 1970. */
  receivedAt: number
  /** Batch id as sent, '' where absent. */
  batchId: string
}

/**
 * Judges one batch: schema, minimisation, detectors, clock; groups what passes by person. Pure, never throws on any
 * JSON value.
 */
export function admit(batch: ParsedBatch, context: AdmitContext): Admitted {
  const admission = createAdmission(batch, context)
  const { work } = admission
  const rejected: Rejected[] = []
  const dropped = new Map<DropCode, number>()
  // No event can be larger than the body that holds it, so most batches need no measuring.
  const measure = batch.body.length > MAX_EVENT_BYTES
  for (let index = 0; index < batch.events.length; index++) {
    startWork(work)
    const event = batch.events[index]
    const code =
      measure && isLarger(event, MAX_EVENT_BYTES) ? 'event_too_large' : admission.admitEvent(event, index)
    if (code === undefined) settleDrops(work, dropped)
    else {
      rejected.push({ index, code, event: work.draft.event, property: work.property })
      admission.rejectEvent(event, index)
    }
  }
  admission.finish(dropped)
  return {
    persons: admission.persons,
    rejected,
    dropped,
    accepted: batch.events.length - rejected.length,
    stamp: { app: context.app.app, receivedAt: context.now, batchId: batch.batchId },
  }
}
