import type { CutMetadata, CutRange } from '../../kafka/cut-metadata.ts'
import { EbbError } from '../../runtime/errors.ts'

/** Why ingest refuses a partition. Each is cured by the operator's word: EBB_INGEST_RECOVER=rewind, for one start. */
export type RefusalCode =
  | 'offsets_lost'
  | 'offsets_without_metadata'
  | 'offsets_out_of_range'
  | 'declared_cut_missing'
  | 'revocations_lost'
  | 'joint_cut_torn'

export interface PartitionFacts {
  partition: number
  /** The log's oldest offset and its next one. */
  low: number
  high: number
  /** Committed offset, negative when there is none. */
  committed: number
  metadata: CutMetadata | undefined
  /** Epoch of the topic as it is now. */
  epoch: string
  /** The next offset of `revocations`. */
  revocationsHead: number
  /** One more than the highest offset of this epoch in `ingest_seen`; undefined for none in 48 h. */
  seenEnd: number | undefined
  /** Highest cut end of this epoch in `events_raw`, asked only when it matters; undefined for none. */
  cutEnd: () => Promise<number | undefined>
}

export interface PartitionStart {
  start: number
  /** The cut that the last owner declared and did not acknowledge: repeat precisely this. */
  declared: { end: number; rev: number; joint?: readonly CutRange[] | undefined } | undefined
  era: string
  /** Offsets are moved back, because ClickHouse holds less than they say. */
  rewound: boolean
}

export const ADVICE = 'see docs/operating-ingest.md; EBB_INGEST_RECOVER=rewind goes on'

/**
 * Where a new owner begins. Offsets are trusted only as far as the log, the tables and the metadata agree with them:
 * a reset would count everything twice, and a restored ClickHouse would miss what came after its backup.
 * @param newEra gives a name that no earlier cut had. @throws EbbError RefusalCode
 */
export async function decideStart(
  facts: PartitionFacts,
  recover: boolean,
  newEra: () => string,
): Promise<PartitionStart> {
  const { low, high, committed, metadata } = facts
  const refuse = (code: RefusalCode, what: string): never => {
    throw new EbbError(code, `partition ${facts.partition}: ${what}; ${ADVICE}`)
  }
  const rewind = async (): Promise<PartitionStart> => {
    const stored = Math.max((await facts.cutEnd()) ?? low, low)
    return { start: Math.min(stored, high), declared: undefined, era: newEra(), rewound: true }
  }
  const ofAnotherTopic = metadata !== undefined && metadata.epoch !== facts.epoch
  if (committed < 0 || ofAnotherTopic || metadata === undefined) {
    const stored = facts.seenEnd ?? (await facts.cutEnd())
    if (stored === undefined && (committed < 0 || ofAnotherTopic))
      return { start: low, declared: undefined, era: '0', rewound: false }
    // All that Kafka still has came after what is stored: nothing could be read twice.
    if (stored !== undefined && stored <= low && metadata === undefined)
      return { start: low, declared: undefined, era: newEra(), rewound: false }
    if (recover) return rewind()
    if (committed < 0 || ofAnotherTopic)
      return refuse('offsets_lost', `no committed offset, yet ClickHouse holds records up to ${stored}`)
    return refuse('offsets_without_metadata', `offset ${committed} was set by somebody else`)
  }
  if (committed < low) {
    if (recover) return rewind()
    return refuse(
      'offsets_out_of_range',
      `records ${committed} to ${low} are gone from Kafka before they were read`,
    )
  }
  if (metadata.end > high || committed > high) {
    if (recover) return rewind()
    return refuse('declared_cut_missing', `a cut to ${metadata.end} is declared, yet the log ends at ${high}`)
  }
  if (metadata.rev > facts.revocationsHead) {
    // What was acknowledged stays so, even if it left no rows.
    if (recover) {
      const again = await rewind()
      return { ...again, start: Math.max(again.start, committed) }
    }
    return refuse(
      'revocations_lost',
      `revocations up to ${metadata.rev} were applied, yet the topic ends at ${facts.revocationsHead}`,
    )
  }
  const { end, rev, joint } = metadata
  const declared = end > committed ? { end, rev, ...(joint && { joint }) } : undefined
  if (low < committed && (facts.seenEnd ?? 0) < committed && ((await facts.cutEnd()) ?? 0) < committed)
    return rewind()
  return { start: committed, declared, era: metadata.era, rewound: false }
}
