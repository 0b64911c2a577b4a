import { setTimeout as sleep } from 'node:timers/promises'
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

/** Waits between tries, in ms; then the batch counts as failed. Together half a minute at least: an engine's restart. */
const RETRY_MS = [100, 200, 400, 800, 1600, 3200, 6400, 12_800]
/** However long the collector, or what stands before it, asks to be left alone. */
const LONGEST_WAIT_MS = 15_000

/** 4xx that say nothing against the batch: it came too slowly, or there are too many. */
const BUSY: ReadonlySet<number> = new Set([408, 429])

/**
 * Posts one batch; repeats it with the same ids while the collector says that it is busy or cannot be reached, so that
 * it is counted once whatever happened to earlier tries.
 * @param signal ends with the try under way: nobody waits for more
 * @throws EbbError `collector_refused` (a 4xx, with the collector's own code), `collector_unreachable`
 */
export async function postBatch(
  url: string,
  writeKey: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<Answer> {
  const text = JSON.stringify(body)
  for (let tries = 0; ; tries++) {
    const tried = await tryBatch(url, writeKey, text)
    if (tried.answer) return tried.answer
    const waitMs = Math.max(RETRY_MS[tries] ?? 0, Math.min(tried.retryAfterMs, LONGEST_WAIT_MS))
    if (tries === RETRY_MS.length || !(await rested(waitMs, signal))) {
      throw new EbbError(
        'collector_unreachable',
        `the collector did not take a batch in time: ${tried.problem}`,
      )
    }
  }
}

/** @returns false as soon as the signal fires */
function rested(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  return sleep(ms, true, { signal }).catch(() => false)
}

type Tried = { answer: Answer } | { answer?: undefined; problem: string; retryAfterMs: number }

/** @returns the answer, or why the same may be tried again. @throws EbbError `collector_refused` */
async function tryBatch(url: string, writeKey: string, body: string): Promise<Tried> {
  const authorization = `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}`
  try {
    const response = await fetch(`${url}/v1/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body,
      signal: AbortSignal.timeout(15_000),
    })
    const text = await response.text()
    if (response.status === 200) return { answer: readAnswer(text) }
    const problem = `${response.status} ${text}`
    if (response.status < 500 && !BUSY.has(response.status)) {
      throw new EbbError('collector_refused', `the collector refused a batch: ${problem}`)
    }
    return { problem, retryAfterMs: Number(response.headers.get('retry-after')) * 1_000 || 0 }
  } catch (error) {
    if (error instanceof EbbError) throw error
    return { problem: error instanceof Error ? error.message : 'no answer', retryAfterMs: 0 }
  }
}

/** @throws EbbError `collector_refused`: what answers is no collector */
function readAnswer(text: string): Answer {
  try {
    const answer = JSON.parse(text) as Partial<Answer> | null
    if (typeof answer?.accepted === 'number' && Array.isArray(answer.rejected)) return answer as Answer
  } catch {
    // Said below.
  }
  throw new EbbError('collector_refused', 'what answers at that URL is not a collector')
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

/**
 * Posts batches side by side, in order of their start. @returns totals over all of them
 * @throws what `postBatch` throws for the first batch that fails, with how far it had come; none is begun after that
 */
export async function postBatches(
  batches: Iterable<{ app: string; body: { batch: unknown[] } }>,
  options: PostOptions,
): Promise<PostTotals> {
  const totals: PostTotals = { sent: 0, accepted: 0, rejectedByCode: {} }
  const startedAt = performance.now()
  const source = batches[Symbol.iterator]()
  const failing = new AbortController()
  const { signal } = failing
  let planned = 0
  const worker = async () => {
    for (let next = source.next(); !next.done && !signal.aborted; next = source.next()) {
      const { app, body } = next.value
      planned += body.batch.length
      if (options.rate) {
        const due = startedAt + (planned * 1000) / options.rate
        await sleep(Math.max(0, due - performance.now()), undefined, { signal })
      }
      totals.sent += body.batch.length
      count(totals, await postBatch(options.url, options.writeKeys[app]!, body, signal))
      options.onProgress?.(totals)
    }
  }
  const workers = Array.from({ length: options.concurrency }, worker)
  // A try that is under way at the first failure is waited for, so that the counts are right.
  await Promise.allSettled(workers.map((one) => one.catch((error) => failing.abort(error))))
  if (!signal.aborted) return totals
  const failed = signal.reason
  if (!(failed instanceof EbbError)) throw failed
  const { accepted, sent } = totals
  const before = `accepted ${accepted} of the ${sent} events that were sent`
  throw new EbbError(failed.code, `${failed.message}; ${before}`, { cause: failed })
}

function count(totals: PostTotals, answer: Answer): void {
  totals.accepted += answer.accepted
  for (const { code } of answer.rejected) {
    totals.rejectedByCode[code] = (totals.rejectedByCode[code] ?? 0) + 1
  }
}
