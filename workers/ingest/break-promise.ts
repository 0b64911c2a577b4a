import { EbbError } from '../../runtime/errors.ts'

/**
 * The crash drill's naive variants of ingest. Each takes one mend away, so that the drill can show that it notices.
 * All of them are asked for here and nowhere else.
 */
export const BROKEN_PROMISES = [
  /** No deduplication token: what a crash repeats is counted twice. */
  'no-token',
  /** After a crash the new owner cuts as it likes instead of repeating the declared cut. */
  'no-declared-end',
  /** Commit, then insert: what a crash interrupts is lost. */
  'commit-first',
  /** Client retries are not looked for. */
  'no-seen',
  /** A member that slept may insert whenever it wakes. */
  'no-deadline',
  /** Revocations are not applied. */
  'no-revocation',
  /** A repeated cut is filtered by the revocations of now instead of those it was declared with. */
  'revocations-of-now',
] as const
export type BrokenPromise = (typeof BROKEN_PROMISES)[number]

/**
 * @returns a function that says whether a promise is to be broken; always false outside drills.
 * @throws EbbError `drill_only`: set without EBB_DRILL=1, or to an unknown name
 */
export function readBrokenPromise(environment: Record<string, string | undefined>) {
  const chosen = environment.EBB_INGEST_BREAK
  if (chosen && (environment.EBB_DRILL !== '1' || !BROKEN_PROMISES.includes(chosen as BrokenPromise)))
    throw new EbbError(
      'drill_only',
      `EBB_INGEST_BREAK needs EBB_DRILL=1 and one of ${BROKEN_PROMISES.join(', ')}`,
    )
  return (promise: BrokenPromise): boolean => chosen === promise
}
export type Breaks = ReturnType<typeof readBrokenPromise>
