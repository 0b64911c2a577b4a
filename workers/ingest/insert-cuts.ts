import { randomUUID } from 'node:crypto'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { insertEvents } from '../../clickhouse/insert-events.ts'
import { insertSeenBatches } from '../../clickhouse/seen-batches.ts'
import type { TopicIdentity } from '../../kafka/topic-identity.ts'
import { EbbError } from '../../runtime/errors.ts'
import { faultPoint } from '../../runtime/fault.ts'
import type { Breaks } from './break-promise.ts'
import { cutToken, jointPartition, jointPosition, jointToken, laneOf, packPosition } from './cut-position.ts'
import type { FilteredCut } from './filter-cut.ts'
import type { IngestMetrics } from './ingest-metrics.ts'
import type { RoundCut } from './open-lane.ts'
import { sessionOver } from './wait.ts'

/** A cut and what of it goes into ClickHouse. */
export interface FilteredPart extends RoundCut {
  filtered: FilteredCut
}

export interface InsertDeps {
  clickhouse: ClickHouseClient
  identity: TopicIdentity
  metrics: IngestMetrics
  breaks: Breaks
  signal: AbortSignal
}

/**
 * Inserts a cut, or the cuts of a joint round as one, and their batches into `ingest_seen`, once: with a token that a repeat
 * has too. @throws EbbError InsertErrorCode, `session_over`, `mixed_formats`, or the client's error
 */
export async function insertCuts(
  deps: InsertDeps,
  parts: readonly FilteredPart[],
  deadlineMs: number,
): Promise<void> {
  // Others' inserts may have been waited for.
  if (deps.signal.aborted) throw sessionOver()
  const name = nameInsert(deps.identity, parts)
  const token = deps.breaks('no-token') ? randomUUID() : name.token
  const started = performance.now()
  const seen = parts.flatMap(({ owner, records }) => owner.seen.rowsOf(records))
  await Promise.all([
    insertRows(deps, parts, { ...name, token }, deadlineMs).then(() => faultPoint('ingest.after-insert')),
    insertSeenBatches(deps.clickhouse, seen, token).then(() => faultPoint('ingest.after-seen')),
  ])
  deps.metrics.insertSeconds((performance.now() - started) / 1_000)
}

interface InsertName {
  token: string
  partition: number
  cutEnd: bigint
}

/** What ClickHouse knows the rows by: what was declared, and nothing of what has become known since. */
function nameInsert(identity: TopicIdentity, parts: readonly FilteredPart[]): InsertName {
  const { cut } = parts[0]!
  if (!cut.joint)
    return {
      token: cutToken(identity, cut),
      partition: cut.partition,
      cutEnd: packPosition(identity.epoch, cut.end),
    }
  const eras = parts.map((part) => part.cut.era)
  return {
    token: jointToken(identity, eras, cut.joint),
    partition: jointPartition(laneOf(cut.partition)),
    cutEnd: jointPosition(identity.epoch, cut.joint),
  }
}

async function insertRows(
  deps: InsertDeps,
  parts: readonly FilteredPart[],
  name: InsertName,
  deadlineMs: number,
): Promise<void> {
  const insert = parts.flatMap(({ filtered }) => filtered.insert)
  if (insert.length === 0) return
  faultPoint('ingest.before-insert')
  const format = insert[0]!.format
  // Chosen so that it cannot be: rows read by another format's columns would be somebody else's.
  if (insert.some((record) => record.format !== format))
    throw new EbbError('mixed_formats', 'two formats in one insert')
  // As late as can be: a process that slept since the commit must not write, another owner may have gone on.
  if (Date.now() >= deadlineMs) throw new EbbError('deadline_passed', 'slept since the cut was declared')
  await insertEvents(deps.clickhouse, {
    rows: insert.map((record) => record.rows),
    format,
    ...name,
    deadlineMs,
  })
}
