import { hash } from 'node:crypto'
import type { ParsedBatch } from './read-batch.ts'

/**
 * Names events whose client gave them none, so that a retry is known: it sends the same batch id, or the same bytes. Bytes
 * tell a retry only where something in them differs from one sending to the next. A button that posts the same text three
 * times a day has sent three events, so without any id and time each request is one of its own.
 * @param nonce differs from request to request.
 */
export function createStandIns(batch: ParsedBatch, nonce: string): (index: number) => string {
  let prefix = ''
  return (index) => {
    if (prefix === '') {
      if (batch.batchId !== '') prefix = `batch:${batch.batchId}`
      else if (tellsApart(batch)) prefix = `body:${hash('sha256', batch.body, 'hex')}`
      else prefix = `request:${nonce}`
    }
    return `${prefix}:${index}`
  }
}

/** Does anything in the request, of whichever event, say which sending it is? */
function tellsApart(batch: ParsedBatch): boolean {
  if (isGiven(batch.sentAt)) return true
  for (const event of batch.events) {
    if (typeof event !== 'object' || event === null) continue
    const { messageId, timestamp, sentAt } = event as Record<string, unknown>
    if (isGiven(messageId) || isGiven(timestamp) || isGiven(sentAt)) return true
  }
  return false
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
}
