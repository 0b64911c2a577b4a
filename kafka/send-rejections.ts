import type { Rejection } from '../schemas/event-record.ts'
import type { RejectionCounts } from './rejection-counts.ts'

/** kafkajs groups in quadratic time: a few hundred messages a send. */
const REJECTIONS_A_SEND = 300

/**
 * Sends what is counted, in portions. What was sent is not counted again when a later portion fails; what was not stays
 * counted. @throws what `send` throws
 */
export async function sendRejections(
  counts: RejectionCounts,
  send: (rejections: Rejection[]) => Promise<void>,
): Promise<void> {
  const unsent = counts.take()
  try {
    while (unsent.length > 0) {
      await send(unsent.slice(0, REJECTIONS_A_SEND))
      unsent.splice(0, REJECTIONS_A_SEND)
    }
  } catch (error) {
    for (const rejection of unsent) counts.add(rejection)
    throw error
  }
}
