import { EbbError } from '../../runtime/errors.ts'
import { faultPoint } from '../../runtime/fault.ts'
import { chooseCut } from './choose-cut.ts'
import type { PartitionStart } from './decide-start.ts'
import type { Revocations } from './follow-revocations.ts'
import { type IngestRecord, isReadable } from './inspect-record.ts'
import {
  CUT_INTERVAL_MS,
  CUT_LARGE_ROWS,
  CUT_MAX_BYTES,
  CUT_MAX_ROWS,
  RETRY_FIRST_MS,
  RETRY_LONGEST_MS,
} from './limits.ts'
import type { PartitionBuffer } from './partition-buffer.ts'
import { createBackoff, pause } from './wait.ts'
import { type CutDeps, writeCut } from './write-cut.ts'

export interface PartitionDeps extends CutDeps {
  partition: number
  revocations: Revocations
  buffer: PartitionBuffer
  /** Finish the cut at hand, acknowledge it and return. */
  isDraining(): boolean
}

/** An idle partition looks this often whether revocations came, and commits that it saw them. */
const IDLE_MS = 500

/** A held partition looks this often whether it may go on. */
const HELD_MS = 200

export type PartitionErrorCode = 'format_not_known'

const ADVICE =
  'the next records have a row format that this release does not know; see docs/operating-ingest.md'

/**
 * One partition, cut after cut, for as long as this member owns it. The committed offset is always the start of the
 * cut being written, and its metadata the end: each commit acknowledges the last cut and declares the next.
 * @throws EbbError CutErrorCode, PartitionErrorCode, RevocationsErrorCode
 */
export async function runPartition(deps: PartitionDeps, begin: PartitionStart): Promise<void> {
  const { buffer, partition } = deps
  let position = begin.start
  let committed = { rev: -1, position: -1 }
  let declared = deps.breaks('no-declared-end') ? undefined : begin.declared
  // Halved when ClickHouse cannot read a cut, until the poison record stands alone.
  let maxRecords = Number.POSITIVE_INFINITY
  let lastStart = 0

  /** Everything before `position` is in ClickHouse and nothing is being written. */
  const acknowledge = async (rev: number) => {
    if (committed.position === position && committed.rev === rev) return
    await deps.commitCut(position, { end: position, rev, epoch: deps.identity.epoch, era: begin.era })
    committed = { rev, position }
    faultPoint('ingest.after-ack')
  }

  while (!deps.signal.aborted) {
    if (declared) {
      if (buffer.nextOffset() < declared.end) {
        if (deps.isDraining()) return
        await buffer.arrival(IDLE_MS)
        continue
      }
    } else if (buffer.records().length === 0 || deps.isDraining()) {
      // At once when caught up: a cut left open is overtaken by other partitions' blocks in ClickHouse's memory.
      const justWritten = committed.rev >= 0 && committed.position !== position
      await acknowledge(justWritten ? committed.rev : await readToHead(deps))
      if (deps.isDraining()) return
      await buffer.arrival(IDLE_MS)
      continue
    } else if (buffer.rows() < CUT_LARGE_ROWS) {
      const rest = lastStart + CUT_INTERVAL_MS - performance.now()
      if (rest > 1) await pause(rest, deps.signal)
    }
    lastStart = performance.now()
    const rev = declared?.rev ?? (await readToHead(deps))
    await deps.revocations.readTo(rev, deps.signal)
    // A declared cut is finished first: its owner declared it before it knew of the hold, and only then says so.
    if (!declared && Date.now() < deps.revocations.heldUntil()) {
      await acknowledge(rev)
      await pause(HELD_MS, deps.signal)
      continue
    }
    const taken = declared
      ? Math.min(declared.end - position, maxRecords)
      : chooseCut(buffer.records(), { maxRecords, maxRows: CUT_MAX_ROWS, maxBytes: CUT_MAX_BYTES })
    const records = buffer.records().slice(0, taken)
    if (records.some(isOfNewerGate)) {
      // What was written before is acknowledged first: an open cut is forgotten by ClickHouse if this lasts.
      if (committed.rev >= 0) await acknowledge(committed.rev)
      throw new EbbError('format_not_known', `partition ${partition}: ${ADVICE}`)
    }
    const cut = { partition, start: position, end: position + taken, era: begin.era, rev }
    const outcome = await writeCut(deps, { ...cut, inherited: declared !== undefined }, records)
    declared = undefined
    if (outcome === 'too-large') {
      maxRecords = Math.max(1, Math.floor(records.length / 2))
      continue
    }
    maxRecords *= 2
    buffer.drop(taken)
    position = cut.end
    committed = { rev, position: -1 }
  }
}

function isOfNewerGate(record: IngestRecord): boolean {
  return record.poison === undefined && !isReadable(record)
}

async function readToHead(deps: PartitionDeps): Promise<number> {
  const backoff = createBackoff(RETRY_FIRST_MS, RETRY_LONGEST_MS, deps.signal)
  for (;;) {
    try {
      return await deps.revocations.readToHead(deps.signal)
    } catch (error) {
      if (error instanceof EbbError) throw error
      deps.logger.warn({ error: (error as Error).name }, 'head of revocations is not known')
      await backoff()
    }
  }
}
