import type { Postgres } from './client.ts'

/** A day of an app, `YYYY-MM-DD`. */
export interface DirtyDay {
  app: string
  day: string
}

/**
 * Marks days whose aggregates changed by an erasure: what analysts see of them is published again with the next daily swap.
 * @param days may repeat one, as two batches that wait for a recount do
 */
export async function markDirtyDays(postgres: Postgres, days: readonly DirtyDay[]): Promise<void> {
  if (days.length === 0) return
  await postgres.query(
    'mark_dirty_days',
    `INSERT INTO dirty_days (app, day) SELECT DISTINCT * FROM unnest($1::text[], $2::date[]) AS one (app, day) ORDER BY app, day
     ON CONFLICT (app, day) DO UPDATE SET since = now()`,
    [days.map(({ app }) => app), days.map(({ day }) => day)],
  )
}

export interface DirtyDays {
  /** Without repeats, the oldest first. */
  days: string[]
  /** When they were read, as the database's own text: a mark made later stays. */
  asOf: string
}

export async function readDirtyDays(postgres: Postgres): Promise<DirtyDays> {
  const rows = await postgres.query<{ days: string[] | null; as_of: string }>(
    'read_dirty_days',
    'SELECT array_agg(DISTINCT day::text ORDER BY day::text) AS days, now()::text AS as_of FROM dirty_days',
    [],
  )
  return { days: rows[0]?.days ?? [], asOf: rows[0]?.as_of ?? '' }
}

/** Takes the marks off that were read. */
export async function clearDirtyDays(postgres: Postgres, { days, asOf }: DirtyDays): Promise<void> {
  await postgres.query(
    'clear_dirty_days',
    'DELETE FROM dirty_days WHERE day = ANY ($1::date[]) AND since <= $2::timestamptz',
    [days, asOf],
  )
}
