/** Consumer group of the ingest members, without the configured prefix. */
export const INGEST_GROUP = 'ingest'

/**
 * An insert may begin this long after the commit that declared its cut. A member that slept longer is a zombie, and
 * ClickHouse's deduplication windows must remember a token for longer than this.
 */
export const INSERT_DEADLINE_MS = 10_000

/** A partition's share of a joint cut. Where start = end it has none, and the range only says how far it was. */
export interface CutRange {
  partition: number
  start: number
  end: number
}

/**
 * What stands in the metadata of ingest's offset commits. The committed offset is the start of a cut: all before it is
 * in ClickHouse. `end` is where the cut stops, `end` = offset when nothing is being written.
 */
export interface CutMetadata {
  end: number
  /** Revocations with a smaller offset than this are applied in the cut, and no others. */
  rev: number
  /** Which topic the offsets belong to, see topic-identity.ts: a topic that was made anew has another one. */
  epoch: string
  /** Changes when an operator or a restore moves the offsets back, so that no new cut repeats an old cut's token. */
  era: string
  /**
   * Since when (milliseconds since 1970) this owner has the partition: no cut of an earlier one may be inserted once the
   * insert deadline has passed since. Missing in commits of older releases.
   */
  since?: number | undefined
  /**
   * Every partition of the lane, when the round was written by one insert: whoever repeats this cut must repeat all of them
   * together. All partitions with a share carry the same, since one commit declares them.
   */
  joint?: readonly CutRange[] | undefined
}

/** `<partition>:<start>:<end>`, separated by commas: 36 bytes a partition at most, of the 4,096 that Kafka allows. */
export function formatRanges(ranges: readonly CutRange[]): string {
  return ranges.map(({ partition, start, end }) => `${partition}:${start}:${end}`).join(',')
}

function parseRanges(text: unknown): CutRange[] | undefined {
  if (typeof text !== 'string' || !/^\d+:\d+:\d+(,\d+:\d+:\d+)*$/.test(text)) return undefined
  return text.split(',').map((range) => {
    const [partition, start, end] = range.split(':').map(Number) as [number, number, number]
    return { partition, start, end }
  })
}

/** Version 2 is a joint cut. A release that knows version 1 only refuses it, instead of repeating a third of it. */
const SOLO = 1
const JOINT = 2

export function encodeCutMetadata(metadata: CutMetadata): string {
  const { end, rev, epoch, era, since, joint } = metadata
  const solo = { v: SOLO, end, rev, epoch, era, since }
  return JSON.stringify(joint ? { ...solo, v: JOINT, joint: formatRanges(joint) } : solo)
}

/** @returns undefined when somebody else wrote it: tools that set offsets drop the metadata, and so does kafkajs. */
export function decodeCutMetadata(text: string | null | undefined): CutMetadata | undefined {
  if (!text) return undefined
  try {
    const { v, end, rev, epoch, era, since, joint } = JSON.parse(text) as Record<string, unknown>
    if (!Number.isSafeInteger(end) || !Number.isSafeInteger(rev)) return undefined
    if (typeof epoch !== 'string' || typeof era !== 'string') return undefined
    const solo: CutMetadata = { end: end as number, rev: rev as number, epoch, era }
    if (Number.isSafeInteger(since)) solo.since = since as number
    if (v === SOLO) return solo
    const ranges = v === JOINT ? parseRanges(joint) : undefined
    return ranges && { ...solo, joint: ranges }
  } catch {
    return undefined
  }
}
