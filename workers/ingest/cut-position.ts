import type { TopicIdentity } from '../../kafka/topic-identity.ts'

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
