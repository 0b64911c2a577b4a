import { EbbError } from './errors.ts'

/**
 * Purges that the erasure drill can leave out, to show that it notices. Each is asked for where the purge is done and nowhere
 * else.
 */
export const PURGES = [
  /** The vault's tables are not written anew: dead tuples stay in their pages. */
  'vault-rewrite',
  /** The same of the keyring. */
  'keyring-rewrite',
  /** Unfinished uploads to object storage stay. */
  'unfinished-uploads',
  /** Objects that go stay, with all versions and delete markers. */
  'object-versions',
  /** Parts that somebody set aside stay, in `detached` and in `shadow`. */
  'set-aside-parts',
  /** Texts of mutations that somebody ran by hand stay. */
  'mutation-texts',
  /** Tokens of a batch stay in the table by which it deletes. */
  'batch-tokens',
  /** What the daily ETL staged of a day stays. */
  'staging-partitions',
  /** Backups whose time is over stay in their bucket, though they are marked as gone. */
  'backup-expiry',
  /** What is kept against late batches is not withdrawn, though the request says so. */
  'state-withdrawal',
  /** Events stay in Kafka. */
  'event-expiry',
  /** The write-ahead log stays on Postgres's disk: nothing moves it to the bucket, where it would expire, not even before keys are destroyed. */
  'wal-shipping',
  /** What ClickHouse has replaced stays on its disk (the development server). */
  'old-parts',
  /** Bodies of statements stay where they waited (the development server). */
  'spool',
] as const
export type Purge = (typeof PURGES)[number]

/**
 * @param environment `EBB_DRILL_WITHOUT`: names, separated by commas
 * @returns a function that says whether a purge is to be left out; always false outside drills.
 * @throws EbbError `drill_only`: set without EBB_DRILL=1, or to an unknown name
 */
export function readLeftOut(environment: Record<string, string | undefined>): (purge: Purge) => boolean {
  const chosen = (environment.EBB_DRILL_WITHOUT ?? '').split(',').filter(Boolean)
  const isUnknown = (name: string) => !(PURGES as readonly string[]).includes(name)
  if (chosen.length > 0 && (environment.EBB_DRILL !== '1' || chosen.some(isUnknown))) {
    throw new EbbError('drill_only', `EBB_DRILL_WITHOUT needs EBB_DRILL=1 and some of ${PURGES.join(', ')}`)
  }
  return (purge) => chosen.includes(purge)
}

// Read here and not in config.ts: it is no setting of the product. At the start, so that a wrong name is refused there.
let leftOut = readLeftOut(process.env)
export const isLeftOut = (purge: Purge): boolean => leftOut(purge)

/** For the drill's own process, which makes the topics of the platform that it starts. @throws EbbError as readLeftOut */
export function leaveOut(environment: Record<string, string | undefined>): void {
  leftOut = readLeftOut(environment)
}
