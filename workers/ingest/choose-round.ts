import type { CutRange } from '../../kafka/cut-metadata.ts'
import { chooseCut } from './choose-cut.ts'
import type { IngestRecord } from './inspect-record.ts'
import { CUT_LARGE_ROWS, CUT_MAX_BYTES, CUT_MAX_ROWS } from './limits.ts'
import type { Lane, LanePartition, RoundCut } from './open-lane.ts'
import { sizeOfRecords } from './partition-buffer.ts'

/** A cut from each partition of the lane that has records, all filtered as of `rev`; joint where one insert may hold them. */
export function chooseRound(lane: Lane, rev: number): RoundCut[] {
  const cuts = lane.partitions
    .filter(({ buffer }) => buffer.records().length > 0)
    .map((owner) => cutOf(owner, rev))
  if (!mayBeJoint(lane, cuts)) return cuts
  // Partitions without records are in it too: the sum of all ends grows from one joint cut to the next.
  const joint = lane.partitions.map(({ partition, position }): CutRange => {
    const end = cuts.find(({ cut }) => cut.partition === partition)?.cut.end
    return { partition, start: position, end: end ?? position }
  })
  return cuts.map((one) => ({ ...one, cut: { ...one.cut, joint } }))
}

function cutOf(owner: LanePartition, rev: number): RoundCut {
  const { partition, buffer, position, era, suspect } = owner
  const maxRecords = suspect ? Math.min(suspect.maxRecords, suspect.end - position) : Number.POSITIVE_INFINITY
  const bounds = { maxRecords, maxRows: CUT_MAX_ROWS, maxBytes: CUT_MAX_BYTES }
  const records = buffer.records().slice(0, chooseCut(buffer.records(), bounds))
  return { owner, cut: { partition, start: position, end: position + records.length, era, rev }, records }
}

/**
 * An insert costs ClickHouse as much as some ten thousand rows, so few rows go together. Many go side by side, each partition's
 * as an insert of its own; so do cuts in which a record is sought that ClickHouse cannot read, and rows of two formats.
 */
function mayBeJoint(lane: Lane, cuts: readonly RoundCut[]): boolean {
  if (cuts.length < 2 || lane.partitions.some(({ suspect }) => suspect)) return false
  const readable = cuts.flatMap(({ records }) => records).filter((record) => !record.poison)
  const rows = readable.reduce((sum, { count }) => sum + count, 0)
  const bytes = cuts.reduce((sum, { records }) => sum + sizeOfRecords(records), 0)
  return rows < CUT_LARGE_ROWS && bytes <= CUT_MAX_BYTES && new Set(readable.map(formatOf)).size <= 1
}

function formatOf({ format }: IngestRecord): number {
  return format
}
