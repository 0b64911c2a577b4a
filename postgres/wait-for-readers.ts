import { setTimeout as sleep } from 'node:timers/promises'
import type { Postgres } from './client.ts'

const LOOK_MS = 50
const LIMIT_MS = 30_000

/**
 * To be called before VACUUM: it keeps a dead row that a transaction of before its death may still see. Those mostly end within
 * milliseconds; one that reads for longer (a dump) is waited for 30 s at most, and what it keeps alive goes with the next
 * rewrite. Writers of any database of the server count as well: the snapshot under which VACUUM FULL itself runs reaches back to
 * the oldest of them.
 */
export async function waitForReaders(postgres: Pick<Postgres, 'query'>): Promise<void> {
  const [now] = await postgres.query<{ xid: string }>(
    'current_xid',
    'SELECT pg_current_xact_id()::text AS xid',
    [],
  )
  for (let waited = 0; waited < LIMIT_MS; waited += LOOK_MS) {
    const [older] = await postgres.query<{ reading: boolean }>(
      'older_readers',
      `SELECT pg_snapshot_xmin(pg_current_snapshot()) <= $1::text::xid8 OR EXISTS (
         SELECT FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()
           AND age(backend_xmin) >= age($1::text::xid8::xid)
       ) AS reading`,
      [now!.xid],
    )
    if (!older!.reading) return
    await sleep(LOOK_MS)
  }
}
