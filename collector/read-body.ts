import type { IncomingMessage } from 'node:http'
import type { ByteBudget } from './byte-budget.ts'
import { collectorError } from './error.ts'

/** Bytes of one request, as sent and again when decompressed: Segment's 500 KB. */
export const MAX_BODY_BYTES = 500 * 1024

/** After a refusal the rest of a body is read and dropped up to here, so that the client gets to read why; then it is cut off. */
const MAX_DISCARDED_BYTES = 4 * 1024 * 1024

/**
 * Reads a request's body into memory, within a bound and within the budget. The bytes are counted as they come, not as
 * declared: a client that announces much and sends little holds little.
 * @param onTaken hears of each count of bytes taken from the budget, which the caller gives back.
 * @throws EbbError `body_too_large`, `overloaded`, `incomplete_body`
 */
export function readBody(
  request: IncomingMessage,
  budget: ByteBudget,
  onTaken: (bytes: number) => void,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const declared = Number(request.headers['content-length'] ?? 0)
    let first: Buffer | undefined
    let more: Buffer[] | undefined
    let size = 0
    let refused = false
    const refuse = (code: 'body_too_large' | 'overloaded') => {
      refused = true
      first = undefined
      more = undefined
      reject(collectorError(code))
    }
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (refused) {
        if (size > MAX_DISCARDED_BYTES) request.destroy()
        return
      }
      onTaken(chunk.length)
      if (!budget.take(chunk.length)) return refuse('overloaded')
      if (size > MAX_BODY_BYTES) return refuse('body_too_large')
      if (first === undefined) first = chunk
      else if (more === undefined) more = [first, chunk]
      else more.push(chunk)
    })
    request.on('end', () => {
      if (!refused) resolve(more ? Buffer.concat(more, size) : (first ?? Buffer.alloc(0)))
    })
    // 'close' comes after a good end, too, and an error made for nothing costs as much as parsing an event.
    const giveUp = () => {
      if (!request.complete) reject(collectorError('incomplete_body'))
    }
    request.on('error', giveUp)
    request.on('close', giveUp)
    if (declared > MAX_BODY_BYTES) refuse('body_too_large')
    else if (budget.full()) refuse('overloaded')
  })
}
