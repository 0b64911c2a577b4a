import { type CutRange, formatRanges } from '../../kafka/cut-metadata.ts'
import type { TopicIdentity } from '../../kafka/topic-identity.ts'
import { LANE_PARTITIONS } from './limits.ts'

const OFFSET_BITS = 40n
const OFFSET_MASK = (1n << OFFSET_BITS) - 1n

/**
 * An offset as ClickHouse stores it (`cut_end`, `ingest_seen.offset`): 24 bits of the topic's epoch above 40 bits of
 * offset, so that positions of a topic that was made anew never pass for those of the old one.
 */
export function packPosition(epoch: string, offset: number): bigint {
  return (BigInt(`0x${epoch}`) << OFFSET_BITS) | BigInt(offset)
}

export function unpackOffset(position: bigint): number {
  return Number(position & OFFSET_MASK)
}

export function isSameEpoch(a: bigint, b: bigint): boolean {
  return a >> OFFSET_BITS === b >> OFFSET_BITS
}

/** First and last position of an epoch, both inclusive. */
export function epochRange(epoch: string): { from: bigint; to: bigint } {
  const from = packPosition(epoch, 0)
  return { from, to: from | OFFSET_MASK }
}

export interface Cut {
  partition: number
  start: number
  end: number
  era: string
}

/** What ClickHouse knows a cut by: the same cut always has the same token, and no other cut ever has it. */
export function cutToken({ clusterId, topicId }: TopicIdentity, cut: Cut): string {
  return [clusterId, topicId, cut.era, cut.partition, cut.start, cut.end].join('/')
}

/** A topic of three partitions is one lane. More partitions make more lanes and change none that is full. */
export function laneOf(partition: number): number {
  return Math.floor(partition / LANE_PARTITIONS)
}

/** What stands in `partition` of the rows of a lane's joint cuts: from the top, where no partition has its number. */
export function jointPartition(lane: number): number {
  return 65_535 - lane
}

/** `cut_end` of a joint cut: the sum of all the lane's ends, which grows with every round whoever has a share in it. */
export function jointPosition(epoch: string, ranges: readonly CutRange[]): bigint {
  return packPosition(
    epoch,
    ranges.reduce((sum, { end }) => sum + end, 0),
  )
}

/**
 * The token of a joint cut. Its last field is what rows keep in `cut`: how far each partition of the lane was, for a rewind.
 * @param eras of the partitions with a share, in the order of `ranges`
 */
export function jointToken(
  { clusterId, topicId }: TopicIdentity,
  eras: readonly string[],
  ranges: readonly CutRange[],
): string {
  const ends = ranges.map(({ partition, end }) => `${partition}:${end}`).join(',')
  return [clusterId, topicId, eras.join('+'), formatRanges(ranges), ends].join('/')
}
