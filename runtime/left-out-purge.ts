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
  /** Parts that somebody set aside stay, in `detached` and in `shadow`. */
  'set-aside-parts',
] as const
export type Purge = (typeof PURGES)[number]

/**
 * @returns a function that says whether a purge is to be left out; always false outside drills.
 * @throws EbbError `drill_only`: set without EBB_DRILL=1, or to an unknown name
 */
export function readLeftOut(environment: Record<string, string | undefined>): (purge: Purge) => boolean {
  const chosen = environment.EBB_DRILL_WITHOUT
  if (chosen && (environment.EBB_DRILL !== '1' || !PURGES.includes(chosen as Purge))) {
    throw new EbbError('drill_only', `EBB_DRILL_WITHOUT needs EBB_DRILL=1 and one of ${PURGES.join(', ')}`)
  }
  return (purge) => chosen === purge
}

// Read here and not in config.ts: it is no setting of the product.
export const isLeftOut = readLeftOut(process.env)
