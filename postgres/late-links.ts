import type { Postgres } from './client.ts'

/** An id of which a late link says that it is an erased person's. */
export interface LateLink {
  app: string
  /** 32 bytes. */
  handle: Buffer
  /** Moment up to which the person's data were to be erased, milliseconds since 1970. */
  at: number
}

/** Keeps ids for a further erasure; on disk when it resolves. Repeats change nothing but a later moment. */
export async function noteLateLinks(postgres: Postgres, links: readonly LateLink[]): Promise<void> {
  const ordered = [...links].sort((a, b) => a.handle.compare(b.handle))
  await postgres.query(
    'note_late_links',
    `INSERT INTO late_links (handle, app, at)
     SELECT handle, app, to_timestamp(at / 1000)
     FROM unnest($1::bytea[], $2::text[], $3::double precision[]) AS late (handle, app, at)
     ON CONFLICT (handle) DO UPDATE SET at = greatest(late_links.at, excluded.at)`,
    [ordered.map((one) => one.handle), ordered.map((one) => one.app), ordered.map((one) => one.at)],
  )
}

/**
 * Takes late links out, for a request in the same transaction: what is taken and not committed is there again. Only
 * those of some age: by then no collector that had not heard of them can make their subject any more.
 * @returns those that have data to erase; the others are forgotten.
 */
export async function takeLateLinks(
  within: Pick<Postgres, 'query'>,
  { olderThanMs, max }: { olderThanMs: number; max: number },
): Promise<LateLink[]> {
  const rows = await within.query<{ app: string; handle: Buffer; at: Date; born: boolean }>(
    'take_late_links',
    `DELETE FROM late_links WHERE handle IN (
       SELECT handle FROM late_links WHERE noted_at < now() - $1 * interval '1 millisecond'
       ORDER BY noted_at LIMIT $2 FOR UPDATE SKIP LOCKED
     )
     RETURNING app, handle, at, EXISTS (SELECT FROM subjects s WHERE s.handle = late_links.handle) AS born`,
    [olderThanMs, max],
  )
  return rows.filter((row) => row.born).map(({ app, handle, at }) => ({ app, handle, at: at.getTime() }))
}
