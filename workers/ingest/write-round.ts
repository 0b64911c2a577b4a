import type { ClickHouseClient } from '../../clickhouse/client.ts'
import type { RejectionProducer } from '../../kafka/rejection-producer.ts'
import type { TopicIdentity } from '../../kafka/topic-identity.ts'
import { EbbError } from '../../runtime/errors.ts'
import { faultPoint } from '../../runtime/fault.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Breaks } from './break-promise.ts'
import { type FilteredCut, filterCut, toRejection } from './filter-cut.ts'
import type { IngestMetrics } from './ingest-metrics.ts'
import { type FilteredPart, insertCuts } from './insert-cuts.ts'
import { INSERT_DEADLINE_MS, RETRY_FIRST_MS, RETRY_LONGEST_MS } from './limits.ts'
import type { Lane, RoundCut } from './open-lane.ts'
import { createBackoff, type createSlots, pause } from './wait.ts'

export interface RoundDeps {
  clickhouse: ClickHouseClient
  identity: TopicIdentity
  rejections: RejectionProducer
  metrics: IngestMetrics
  logger: Logger
  breaks: Breaks
  /** One round of the process at a time: its inserts wait for each other, not for those of other lanes. */
  turns: ReturnType<typeof createSlots>
  /** Inserts at once. */
  slots: ReturnType<typeof createSlots>
  /** Fires when this member may own the lane no longer. */
  signal: AbortSignal
  isRevoked(token: Buffer, rev: number): boolean
}

/** What another attempt cannot cure: the process ends, or another owner goes on. */
export type RoundErrorCode = 'session_over' | 'commit_failed' | 'mixed_formats' | 'unknown_format'
const FINAL = new Set<string>([
  'session_over',
  'commit_failed',
  'mixed_formats',
  'unknown_format',
] satisfies RoundErrorCode[])

/**
 * A record that ClickHouse cannot read is given up after so many answers, over 3 seconds by the pauses between: a server in
 * trouble may say so of good rows.
 */
const UNREADABLE_ATTEMPTS = 6

/** The cuts that one insert holds: all of a joint round, or one. */
interface RoundInsert {
  parts: FilteredPart[]
  /** Declared by an earlier owner, or tried without an answer: it may still come in though nobody waits for it. */
  mayStillCome: boolean
  /** ClickHouse's answers that it cannot read the one record in it. */
  unreadable: number
}

/** What became of an attempt; `settled`: written, or to be cut smaller. */
type Outcome = 'settled' | 'again'

/**
 * Writes a round, however often ClickHouse goes away meanwhile. What a crash at each step repeats:
 * before the declaration nothing is lost, the records are in Kafka; after it the next owner repeats precisely these cuts
 * and ClickHouse drops what it knows; the batches in `ingest_seen` stand at their own offsets, so that a repeat does
 * not take them for retries. The next commit acknowledges: the positions say what was written. A cut that ClickHouse cannot
 * read is left where it was, to be cut smaller.
 * @throws EbbError RoundErrorCode
 */
export async function writeRound(
  deps: RoundDeps,
  lane: Lane,
  cuts: readonly RoundCut[],
  { inherited }: { inherited: boolean },
): Promise<void> {
  const filtered = await Promise.all(
    cuts.map(async (one) => ({ ...one, filtered: await filterRecords(deps, one) })),
  )
  let left = groupByInsert(filtered).map(
    (parts): RoundInsert => ({ parts, mayStillCome: inherited, unreadable: 0 }),
  )
  for (const { owner, cut } of cuts) {
    owner.open = cut
    owner.rev = cut.rev
  }
  const backoff = createBackoff(RETRY_FIRST_MS, RETRY_LONGEST_MS, deps.signal)
  for (;;) {
    const answers = await deps.turns.run(() => declareAndInsert(deps, lane, left))
    const outcomes = await Promise.allSettled(
      left.map((insert, index) => settle(deps, insert, answers[index]!)),
    )
    const failed = outcomes.find(({ status }) => status === 'rejected')
    if (failed) throw (failed as PromiseRejectedResult).reason
    left = left.filter((_, index) => (outcomes[index] as PromiseFulfilledResult<Outcome>).value === 'again')
    if (left.length === 0) return
    await backoff()
  }
}

/**
 * Every attempt commits anew: the broker tells whether we still own the lane, and the deadline starts there.
 * @returns when all inserts have ended: nothing of a round is on the way when its loop has ended
 */
async function declareAndInsert(
  deps: RoundDeps,
  lane: Lane,
  inserts: readonly RoundInsert[],
): Promise<PromiseSettledResult<void>[]> {
  faultPoint('ingest.before-declare')
  const deadlineMs = deps.breaks('no-deadline') ? Number.MAX_SAFE_INTEGER : Date.now() + INSERT_DEADLINE_MS
  await lane.declare()
  faultPoint('ingest.after-declare')
  return await Promise.allSettled(
    inserts.map(({ parts }) => deps.slots.run(() => insertCuts(deps, parts, deadlineMs))),
  )
}

/** One insert for the parts of a joint cut, one for each other part. */
function groupByInsert(parts: readonly FilteredPart[]): FilteredPart[][] {
  const joint = parts.filter(({ cut }) => cut.joint)
  const solo = parts.filter(({ cut }) => !cut.joint).map((part) => [part])
  return joint.length > 0 ? [joint, ...solo] : solo
}

async function settle(
  deps: RoundDeps,
  insert: RoundInsert,
  answer: PromiseSettledResult<void>,
): Promise<Outcome> {
  if (answer.status === 'fulfilled') {
    await finish(deps, insert.parts)
    return 'settled'
  }
  const error: unknown = answer.reason
  const code = error instanceof EbbError ? error.code : 'unknown'
  if (FINAL.has(code)) throw error
  if (code === 'bad_rows') return refine(deps, insert)
  const partitions = insert.parts.map(({ cut }) => cut.partition)
  deps.logger.warn({ partitions, code }, 'round not written yet, trying again')
  // What was refused for its deadline is not on the way.
  insert.mayStillCome ||= code !== 'deadline_passed'
  return 'again'
}

/** ClickHouse cannot read the rows, so none was stored: smaller cuts find the record, which is refused when it stands alone. */
async function refine(deps: RoundDeps, insert: RoundInsert): Promise<Outcome> {
  // What is cut smaller has other tokens: wait until the whole can no longer come from a sleeping owner or a slow network.
  if (insert.mayStillCome) await pause(INSERT_DEADLINE_MS, deps.signal)
  insert.mayStillCome = false
  const [first, ...others] = insert.parts
  if (others.length > 0 || first!.filtered.insert.length > 1) {
    for (const { owner, cut, records } of insert.parts) {
      owner.open = undefined
      const maxRecords = others.length > 0 ? records.length : Math.max(1, Math.floor(records.length / 2))
      owner.suspect = { end: Math.max(cut.end, owner.suspect?.end ?? 0), maxRecords }
    }
    return 'settled'
  }
  insert.unreadable++
  if (insert.unreadable < UNREADABLE_ATTEMPTS) return 'again'
  const { filtered } = first!
  filtered.rejected.push({ record: filtered.insert[0]!, code: 'unreadable_rows' })
  filtered.insert = []
  return 'again'
}

/** After this the next commit acknowledges the cuts. */
async function finish(deps: RoundDeps, parts: readonly FilteredPart[]): Promise<void> {
  for (const { filtered } of parts) await reportRejections(deps, filtered)
  for (const { owner, cut, records, filtered } of parts) {
    deps.metrics.cutWritten(cut.partition, records, filtered)
    owner.seen.remember(records)
    owner.buffer.drop(records.length)
    owner.position = cut.end
    owner.open = undefined
    if (owner.suspect && owner.suspect.end <= cut.end) owner.suspect = undefined
    if (owner.suspect) owner.suspect.maxRecords *= 2
  }
  faultPoint('ingest.before-ack')
}

async function filterRecords(deps: RoundDeps, { owner, cut, records }: RoundCut): Promise<FilteredCut> {
  const backoff = createBackoff(RETRY_FIRST_MS, RETRY_LONGEST_MS, deps.signal)
  for (;;) {
    try {
      const isRetry = deps.breaks('no-seen') ? () => false : await owner.seen.lookUp(records)
      const rev = deps.breaks('revocations-of-now') ? Number.POSITIVE_INFINITY : cut.rev
      const isRevoked = (token: Buffer) => !deps.breaks('no-revocation') && deps.isRevoked(token, rev)
      return filterCut(records, isRevoked, isRetry)
    } catch (error) {
      deps.logger.warn({ partition: cut.partition, error: (error as Error).name }, 'look-up failed')
      await backoff()
    }
  }
}

/** Counted before the cut is acknowledged: after a crash a rejection may be counted twice, never not at all. */
async function reportRejections(deps: RoundDeps, filtered: FilteredCut): Promise<void> {
  if (filtered.rejected.length === 0) return
  for (const { record, code } of filtered.rejected) {
    deps.rejections.count(toRejection(record, code, Date.now()))
    deps.logger.warn({ code }, 'poison record refused')
  }
  const backoff = createBackoff(RETRY_FIRST_MS, RETRY_LONGEST_MS, deps.signal)
  for (;;) {
    try {
      return await deps.rejections.flush()
    } catch {
      await backoff()
    }
  }
}
