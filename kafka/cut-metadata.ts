/** Consumer group of the ingest members, without the configured prefix. */
export const INGEST_GROUP = 'ingest'

/**
 * An insert may begin this long after the commit that declared its cut. A member that slept longer is a zombie, and
 * ClickHouse's deduplication windows must remember a token for longer than this.
 */
export const INSERT_DEADLINE_MS = 10_000

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
}

export function encodeCutMetadata(metadata: CutMetadata): string {
  return JSON.stringify({
    v: 1,
    end: metadata.end,
    rev: metadata.rev,
    epoch: metadata.epoch,
    era: metadata.era,
    since: metadata.since,
  })
}

/** @returns undefined when somebody else wrote it: tools that set offsets drop the metadata, and so does kafkajs. */
export function decodeCutMetadata(text: string | null | undefined): CutMetadata | undefined {
  if (!text) return undefined
  try {
    const { v, end, rev, epoch, era, since } = JSON.parse(text) as Record<string, unknown>
    if (v !== 1 || !Number.isSafeInteger(end) || !Number.isSafeInteger(rev)) return undefined
    if (typeof epoch !== 'string' || typeof era !== 'string') return undefined
    const known = { end: end as number, rev: rev as number, epoch, era }
    return Number.isSafeInteger(since) ? { ...known, since: since as number } : known
  } catch {
    return undefined
  }
}
