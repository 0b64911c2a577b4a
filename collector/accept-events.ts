import { randomUUID } from 'node:crypto'
import { type Admitted, admit, type Person } from '../gate/admit.ts'
import { readBatch } from '../gate/read-batch.ts'
import { tokenise } from '../gate/tokenise.ts'
import type { EventProducer } from '../kafka/event-producer.ts'
import type { RejectionProducer } from '../kafka/rejection-producer.ts'
import type { SubjectResolver } from '../postgres/resolve-subjects.ts'
import type { LinkWriter } from '../postgres/subject-links.ts'
import { faultPoint } from '../runtime/fault.ts'
import type { EventRecord } from '../schemas/event-record.ts'
import type { Registry } from '../schemas/registry.ts'
import type { DropCode, RejectCode } from '../schemas/reject-code.ts'
import type { SegmentCall } from '../schemas/segment.ts'
import { decompressBody, parseBody } from './decode-body.ts'
import { collectorError } from './error.ts'
import type { AppContext, AppDirectory } from './find-app.ts'
import type { CollectorMetrics } from './metrics.ts'

export interface AcceptDeps {
  apps: AppDirectory
  subjects: SubjectResolver
  links: LinkWriter
  producer: EventProducer
  rejections: RejectionProducer
  registry: Registry
  metrics: CollectorMetrics
  /** Milliseconds since 1970. */
  now(): number
  /** Milliseconds that Kafka gets for its ack before the client is told to come again. */
  ackTimeoutMs: number
  /** Milliseconds below which a request with a person not in the cache is not answered. */
  missFloorMs: number
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

  // 7. Only now the client hears of it, and only now is it counted: what fails before this point comes again.
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
    stored: admitted.persons.length > 0 ? store(deps, app.rules.app, admitted, receivedAt) : undefined,
  }
}

async function store(deps: AcceptDeps, app: string, admitted: Admitted, receivedAt: number): Promise<void> {
  // 4. Each person's keys, durable before the first event under them is produced.
  const looked = deps.subjects.resolve(handlesOf(admitted.persons), app)
  const keys = Array.isArray(looked) ? looked : await looked

  // 5. Identity ends here: from now on there are only tokens and keyed hashes.
  const records: EventRecord[] = []
  for (const [index, person] of admitted.persons.entries()) {
    records.push(tokenise(person, keys[index]!, admitted.stamp))
  }
  faultPoint('collector.before-produce')

  // 6. Links to disk and records to every in-sync replica, side by side; the acknowledgement waits for both.
  const links = admitted.persons.flatMap((person) => person.links)
  const linked = links.length > 0 ? deps.links.write(links, app) : undefined
  const produced = withinMs(deps.producer.send(records), deps.ackTimeoutMs)
  if (keys === looked && linked === undefined) return produced
  return Promise.all([produced, linked, reach(receivedAt + deps.missFloorMs, deps.now)]).then(() => {})
}

/** Handles of the persons in their order, then those that only a link names: both its ends must be in `subjects` first. */
function handlesOf(persons: Person[]): Buffer[] {
  const handles = persons.map((person) => person.handle)
  for (const person of persons) {
    for (const link of person.links) handles.push(link.from, link.to)
  }
  return handles
}

/**
 * Waits until a moment. A new person costs two commits more than one that another request made: answering neither sooner
 * than this hides which it was.
 */
function reach(moment: number, now: () => number): Promise<void> | undefined {
  const left = moment - now()
  return left > 0 ? new Promise((resolve) => setTimeout(resolve, left)) : undefined
}

/** @throws EbbError `events_unavailable` when the records are not acknowledged, by when they still may be. */
function withinMs(sent: Promise<void>, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(collectorError('events_unavailable')), timeoutMs)
    sent.then(
      () => {
        clearTimeout(timer)
        resolve()
      },
      (cause) => {
        clearTimeout(timer)
        reject(collectorError('events_unavailable', cause))
      },
    )
  })
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
