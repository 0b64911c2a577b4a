import { randomUUID } from 'node:crypto'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { insertEvents } from '../../clickhouse/insert-events.ts'
import type { CutMetadata } from '../../kafka/cut-metadata.ts'
import type { RejectionProducer } from '../../kafka/rejection-producer.ts'
import type { TopicIdentity } from '../../kafka/topic-identity.ts'
import { EbbError } from '../../runtime/errors.ts'
import { faultPoint } from '../../runtime/fault.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Breaks } from './break-promise.ts'
import { type Cut, cutToken, packPosition } from './cut-position.ts'
import { type FilteredCut, filterCut, toRejection } from './filter-cut.ts'
import type { SeenBatches } from './find-retries.ts'
import type { IngestMetrics } from './ingest-metrics.ts'
import type { IngestRecord } from './inspect-record.ts'
import { INSERT_DEADLINE_MS, RETRY_FIRST_MS, RETRY_LONGEST_MS } from './limits.ts'
import { createBackoff, type createSlots, pause } from './wait.ts'

export interface CutDeps {
  clickhouse: ClickHouseClient
  identity: TopicIdentity
  rejections: RejectionProducer
  metrics: IngestMetrics
  logger: Logger
  breaks: Breaks
  seen: SeenBatches
  slots: ReturnType<typeof createSlots>
  /** Fires when this member may own the partition no longer. */
  signal: AbortSignal
  isRevoked(token: Buffer, rev: number): boolean
  /** Commits the offset that a cut begins at and what the cut is, fenced. @throws EbbError `session_over`, `commit_failed` */
  commitCut(offset: number, metadata: CutMetadata): Promise<void>
}

export interface DeclaredCut extends Cut {
  rev: number
  /** Declared by an earlier owner, which may still be about to insert it. */
  inherited: boolean
}

/** What another attempt cannot cure: the process ends, or another owner goes on. */
export type CutErrorCode = 'session_over' | 'commit_failed' | 'mixed_formats' | 'unknown_format'
const FINAL = new Set<string>([
  'session_over',
  'commit_failed',
  'mixed_formats',
  'unknown_format',
] satisfies CutErrorCode[])

/**
 * A record that ClickHouse cannot read is given up after so many answers, over 3 seconds by the pauses between: a server in
 * trouble may say so of good rows.
 */
const UNREADABLE_ATTEMPTS = 6

/** `too-large`: ClickHouse cannot read the rows; nothing was written, declare a smaller cut. */
export type CutOutcome = 'written' | 'too-large'

/**
 * Writes one cut, however often ClickHouse goes away meanwhile. What a crash at each step repeats:
 * before the declaration nothing is lost, the records are in Kafka; after it the next owner repeats precisely this cut
 * and ClickHouse drops what it knows; the batches in `ingest_seen` stand at their own offsets, so that a repeat does
 * not take them for retries. The caller acknowledges.
 * @throws EbbError CutErrorCode
 */
export async function writeCut(
  deps: CutDeps,
  cut: DeclaredCut,
  records: readonly IngestRecord[],
): Promise<CutOutcome> {
  const filtered = await filterRecords(deps, cut, records)
  const backoff = createBackoff(RETRY_FIRST_MS, RETRY_LONGEST_MS, deps.signal)
  let unreadable = 0
  for (;;) {
    try {
      await deps.slots.run(() => declareAndInsert(deps, cut, records, filtered))
      break
    } catch (error) {
      const code = error instanceof EbbError ? error.code : 'unknown'
      if (FINAL.has(code)) throw error
      if (code === 'bad_rows') {
        // A sleeping earlier owner could insert the whole cut after we cut it smaller: wait until it may no longer.
        if (cut.inherited) await pause(INSERT_DEADLINE_MS, deps.signal)
        if (filtered.insert.length > 1) return 'too-large'
        unreadable++
        if (unreadable < UNREADABLE_ATTEMPTS) {
          await backoff()
          continue
        }
        filtered.rejected.push({ record: filtered.insert[0]!, code: 'unreadable_rows' })
        filtered.insert = []
        continue
      }
      deps.logger.warn({ partition: cut.partition, code }, 'cut not written yet, trying again')
      await backoff()
    }
  }
  await reportRejections(deps, filtered)
  deps.metrics.cutWritten(cut.partition, records, filtered)
  deps.seen.remember(records)
  faultPoint('ingest.before-ack')
  return 'written'
}

async function filterRecords(
  deps: CutDeps,
  cut: DeclaredCut,
  records: readonly IngestRecord[],
): Promise<FilteredCut> {
  const backoff = createBackoff(RETRY_FIRST_MS, RETRY_LONGEST_MS, deps.signal)
  for (;;) {
    try {
      const isRetry = deps.breaks('no-seen') ? () => false : await deps.seen.lookUp(records)
      const rev = deps.breaks('revocations-of-now') ? Number.POSITIVE_INFINITY : cut.rev
      const isRevoked = (token: Buffer) => !deps.breaks('no-revocation') && deps.isRevoked(token, rev)
      return filterCut(records, isRevoked, isRetry)
    } catch (error) {
      deps.logger.warn({ partition: cut.partition, error: (error as Error).name }, 'look-up failed')
      await backoff()
    }
  }
}

/** Every attempt commits anew: the broker tells whether we still own the partition, and the deadline starts there. */
async function declareAndInsert(
  deps: CutDeps,
  cut: DeclaredCut,
  records: readonly IngestRecord[],
  filtered: FilteredCut,
): Promise<void> {
  faultPoint('ingest.before-declare')
  const deadlineMs = deps.breaks('no-deadline') ? Number.MAX_SAFE_INTEGER : Date.now() + INSERT_DEADLINE_MS
  const metadata = { end: cut.end, rev: cut.rev, epoch: deps.identity.epoch, era: cut.era }
  await deps.commitCut(deps.breaks('commit-first') ? cut.end : cut.start, metadata)
  faultPoint('ingest.after-declare')

  const token = deps.breaks('no-token') ? randomUUID() : cutToken(deps.identity, cut)
  const started = performance.now()
  await Promise.all([
    insertRows(deps, cut, filtered.insert, token, deadlineMs).then(() => faultPoint('ingest.after-insert')),
    deps.seen.write(records, token).then(() => faultPoint('ingest.after-seen')),
  ])
  deps.metrics.insertSeconds((performance.now() - started) / 1_000)
}

async function insertRows(
  deps: CutDeps,
  cut: DeclaredCut,
  insert: readonly IngestRecord[],
  token: string,
  deadlineMs: number,
): Promise<void> {
  if (insert.length === 0) return
  faultPoint('ingest.before-insert')
  // As late as can be: a process that slept since the commit must not write, another owner may have gone on.
  const format = insert[0]!.format
  // chooseCut ends a cut where the format changes; rows read by another format's columns would be somebody else's.
  if (insert.some((record) => record.format !== format))
    throw new EbbError('mixed_formats', 'two formats in one cut')
  if (Date.now() >= deadlineMs) throw new EbbError('deadline_passed', 'slept since the cut was declared')
  await insertEvents(deps.clickhouse, {
    rows: insert.map((record) => record.rows),
    format,
    partition: cut.partition,
    cutEnd: packPosition(deps.identity.epoch, cut.end),
    token,
    deadlineMs,
  })
}

/** Counted before the cut is acknowledged: after a crash a rejection may be counted twice, never not at all. */
async function reportRejections(deps: CutDeps, filtered: FilteredCut): Promise<void> {
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
