import type { Postgres } from './client.ts'

type Within = Pick<Postgres, 'query'>

/**
 * Blocks and what they must not miss take turns: who writes a link or a profile holds this lock shared until it is
 * committed, who blocks holds it alone. So a block sees all that was written, and who writes afterwards sees the block,
 * if it looks by a further statement. Both take milliseconds. A lock on the people's rows would do, too, but a walk along links
 * and a batch of links meet in any order, and Postgres ends such circles only after a second.
 */
const BLOCK_LOCK = `hashtextextended('ebb blocks', 4)`

/** For writers: no block comes in between. One that stands still meanwhile (a stopped process) is ended by the server. */
export async function holdOffBlocks(within: Within): Promise<void> {
  await within.query(
    'hold_off_blocks',
    `SELECT pg_advisory_xact_lock_shared(${BLOCK_LOCK}),
       set_config('idle_in_transaction_session_timeout', '5s', true)`,
    [],
  )
}

/** For blocks: waits until no writer is under way. */
export async function lockBlocks(within: Within): Promise<void> {
  await within.query('lock_blocks', `SELECT pg_advisory_xact_lock(${BLOCK_LOCK})`, [])
}
