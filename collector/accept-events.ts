import { randomUUID } from 'node:crypto'
import { type Admitted, admit } from '../gate/admit.ts'
import { readBatch } from '../gate/read-batch.ts'
import type { RejectionProducer } from '../kafka/rejection-producer.ts'
import { faultPoint } from '../runtime/fault.ts'
import type { Registry } from '../schemas/registry.ts'
import type { DropCode, RejectCode } from '../schemas/reject-code.ts'
import type { SegmentCall } from '../schemas/segment.ts'
import { decompressBody, parseBody } from './decode-body.ts'
import { collectorError } from './error.ts'
import type { AppContext, AppDirectory } from './find-app.ts'
import type { CollectorMetrics } from './metrics.ts'
import { type StoreDeps, storeEvents } from './store-events.ts'

export interface AcceptDeps extends StoreDeps {
  apps: AppDirectory
  rejections: RejectionProducer
  registry: Registry
  metrics: CollectorMetrics
}

export interface Submission {
  call: 'batch' | SegmentCall
  /** As received. */
  body: Buffer
  encoding: string | undefined
  /** From Basic auth; '' where it is to be looked for in the body. */
  writeKey: string
  clientIp: string | undefined
  /** Hears how large the body is when decompressed. @throws EbbError `overloaded` */
  onInflated(bytes: number): void
}

/**
 * One request, from its bytes to the broker's ack. The steps are the order in which a crash is harmless: whatever has
 * happened before it, the client has no answer yet, and its retry with the same ids is counted once.
 *
 * Each function below ends before the next long wait begins, so that a thousand requests that wait for a slow broker hold
 * their records and not the objects they were made of, which are many times as large.
 * @returns the answer's JSON text. @throws EbbError, see error.ts
 */
export async function acceptEvents(deps: AcceptDeps, submission: Submission): Promise<string> {
  const receivedAt = deps.now()
  // 1. Who asks. A key in the header is checked before the body is looked at.
  const app = submission.writeKey === '' ? undefined : await deps.apps.find(submission.writeKey)
  const { answer, accepted, refused, stored } = await judge(deps, submission, app, receivedAt)
  await stored

  // 8. Only now the client hears of it, and only now is it counted: what fails before this point comes again.
  faultPoint('collector.after-produce-before-answer')
  deps.metrics.accepted(accepted)
  countRefused(deps, refused)
  return answer
}

interface Judged {
  answer: string
  accepted: number
  refused: Refused
  /** Resolves when all is durable. */
  stored: Promise<void> | undefined
}

async function judge(
  deps: AcceptDeps,
  submission: Submission,
  known: AppContext | undefined,
  receivedAt: number,
): Promise<Judged> {
  // 2. The body: decompressed, UTF-8, JSON, an envelope.
  const body = decompressBody(submission.body, submission.encoding)
  if (body !== submission.body) submission.onInflated(body.length)
  const read = readBatch(parseBody(body), body, submission.call)
  if (!read.ok) throw collectorError(read.code)
  const app = known ?? (await deps.apps.find(read.batch.writeKey))

  // 3. The gate: what fails it goes no further.
  const admitted = admit(read.batch, {
    app: app.rules,
    lookupKey: app.lookupKey,
    registry: deps.registry,
    now: receivedAt,
    nonce: randomUUID(),
    ...(submission.clientIp !== undefined && { clientIp: submission.clientIp }),
  })
  return {
    answer: answerText(admitted),
    accepted: admitted.accepted,
    refused: sumRefused(admitted, app.rules.app, receivedAt),
    stored: admitted.persons.length > 0 ? storeEvents(deps, app.rules, admitted, receivedAt) : undefined,
  }
}

/** Counts of what a request had to be refused: few, however many events it has. */
interface Refused {
  app: string
  /** Milliseconds since 1970. */
  at: number
  events: ReadonlyMap<string, { code: RejectCode; event: string; count: number }>
  fields: ReadonlyMap<DropCode, number>
}

function sumRefused(admitted: Admitted, app: string, at: number): Refused {
  const events = new Map<string, { code: RejectCode; event: string; count: number }>()
  for (const { code, event } of admitted.rejected) {
    const key = `${code} ${event}`
    const sum = events.get(key)
    if (sum) sum.count += 1
    else events.set(key, { code, event, count: 1 })
  }
  return { app, at, events, fields: admitted.dropped }
}

function countRefused(deps: AcceptDeps, { app, at, events, fields }: Refused): void {
  for (const { code, event, count } of events.values()) {
    deps.rejections.count({ app, code, event, count, at })
    deps.metrics.rejected(code, count)
  }
  for (const [code, count] of fields) {
    deps.rejections.count({ app, code, event: '', count, at })
    deps.metrics.dropped(code, count)
  }
}

function answerText(admitted: Admitted): string {
  if (admitted.rejected.length === 0) return `{"accepted":${admitted.accepted},"rejected":[]}`
  const rejected = admitted.rejected.map(({ index, code }) => ({ index, code }))
  return JSON.stringify({ accepted: admitted.accepted, rejected })
}
