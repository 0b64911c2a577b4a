import { EbbError } from '../runtime/errors.ts'

export interface PostTotals {
  sent: number
  accepted: number
  /** Events that the gate refused, by code. */
  rejectedByCode: Record<string, number>
}

interface Answer {
  accepted: number
  rejected: { index: number; code: string }[]
}

/** Waits between tries, in ms; then the batch counts as failed. Together half a minute: an engine's restart. */
const RETRY_MS = [100, 200, 400, 800, 1600, 3200, 6400, 12_800]

/**
 * Posts one batch; repeats it with the same ids while the collector says that it is busy or cannot be reached, so that
 * it is counted once whatever happened to earlier tries.
 * @throws EbbError `collector_refused` (a 4xx, with the collector's own code), `collector_unreachable`
 */
export async function postBatch(url: string, writeKey: string, body: unknown): Promise<Answer> {
  const text = JSON.stringify(body)
  const authorization = `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}`
  let last = ''
  for (const wait of [...RETRY_MS, 0]) {
    try {
      const response = await fetch(`${url}/v1/batch`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization },
        body: text,
        signal: AbortSignal.timeout(15_000),
      })
      if (response.status === 200) return (await response.json()) as Answer
      last = `${response.status} ${await response.text()}`
      const busy = response.status === 429 || response.status >= 500
      if (!busy) throw new EbbError('collector_refused', `the collector refused a batch: ${last}`)
    } catch (error) {
      if (error instanceof EbbError) throw error
      last = error instanceof Error ? error.message : 'no answer'
    }
    await new Promise((resolve) => setTimeout(resolve, wait))
  }
  throw new EbbError('collector_unreachable', `the collector did not take a batch in time: ${last}`)
}

export interface PostOptions {
  url: string
  /** Write key by app. */
  writeKeys: Record<string, string>
  /** Requests in flight at a time. */
  concurrency: number
  /** Events a second at most; undefined for as fast as the collector takes them. */
  rate?: number
  onProgress?(totals: PostTotals): void
}

/** Posts batches side by side, in order of their start. @returns totals over all of them */
export async function postBatches(
  batches: Iterable<{ app: string; body: { batch: unknown[] } }>,
  options: PostOptions,
): Promise<PostTotals> {
  const totals: PostTotals = { sent: 0, accepted: 0, rejectedByCode: {} }
  const startedAt = performance.now()
  const source = batches[Symbol.iterator]()
  const worker = async () => {
    for (let next = source.next(); !next.done; next = source.next()) {
      const { app, body } = next.value
      totals.sent += body.batch.length
      if (options.rate) {
        const due = startedAt + (totals.sent * 1000) / options.rate
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())))
      }
      const answer = await postBatch(options.url, options.writeKeys[app]!, body)
      totals.accepted += answer.accepted
      for (const { code } of answer.rejected) {
        totals.rejectedByCode[code] = (totals.rejectedByCode[code] ?? 0) + 1
      }
      options.onProgress?.(totals)
    }
  }
  await Promise.all(Array.from({ length: options.concurrency }, worker))
  return totals
}
