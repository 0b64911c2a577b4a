import { EbbError } from '../runtime/errors.ts'
import { batchMisses } from './batch-misses.ts'
import { holdOffBlocks } from './block-lock.ts'
import type { TransactingPostgres } from './client.ts'
import { createRecentMap } from './recent-map.ts'

/** A link that a person asserted (login, alias); both handles have their row in `subjects`. */
export interface SubjectLink {
  kind: 'identify' | 'alias'
  from: Buffer
  to: Buffer
  /** The other handle of the same id, of an alias: see gate/person.ts. */
  sameId?: Buffer
}

export interface LinkWriter {
  /**
   * Stores links; returns when they are on disk, or nothing to wait for (undefined) when all were stored lately.
   * Storing one again changes nothing. It is waited for before an acknowledgement: erasure follows links, so a link that
   * was acknowledged and lost would leave a person's other half behind.
   * @throws EbbError `subjects_unavailable`
   */
  write(links: readonly SubjectLink[], app: string): Promise<void> | undefined
  /** Drops what was stored lately: links of a person who was erased must be written anew when they return. */
  forget(): void
}

/** Batches links as misses are batched: each identify call of a session repeats its link, and only the first is written. */
export function createLinkWriter(postgres: TransactingPostgres, capacity = 100_000): LinkWriter {
  let stored = createRecentMap<true>(capacity)
  const store = batchMisses<{ link: SubjectLink; app: string }, true>(
    (items) => insertLinks(postgres, items),
    {
      windowMs: 2,
      batchSize: 1_000,
      concurrency: 2,
      pendingLimit: 20_000,
    },
  )
  return {
    write(links, app) {
      const missing = new Map<string, SubjectLink>()
      for (const link of links) {
        const key = `${link.kind}${link.from.toString('latin1')}${link.to.toString('latin1')}`
        if (!stored.get(key)) missing.set(key, link)
      }
      if (missing.size === 0) return undefined
      const remembered = stored
      const writes = [...missing].map(async ([key, link]) => {
        await store(key, { link, app })
        remembered.set(key, true)
      })
      return Promise.all(writes).then(() => {})
    },
    forget() {
      stored = createRecentMap<true>(capacity)
    },
  }
}

async function insertLinks(
  postgres: TransactingPostgres,
  items: { link: SubjectLink; app: string }[],
): Promise<true[]> {
  try {
    await postgres.transaction((within) => insertUnblocked(within, items))
  } catch (cause) {
    throw new EbbError('subjects_unavailable', 'links cannot be stored', { cause })
  }
  return items.map(() => true)
}

/**
 * A block that comes later waits for this commit and finds the links, one that came before refuses them. A refused
 * link is no error: its person is being erased, and the answer tells nobody.
 */
async function insertUnblocked(
  within: Pick<TransactingPostgres, 'query'>,
  items: { link: SubjectLink; app: string }[],
): Promise<void> {
  await holdOffBlocks(within)
  await within.query(
    'create_links',
    `INSERT INTO subject_links (app, from_subject, to_subject, kind, asserted)
     SELECT link.app, f.subject_id, t.subject_id, link.kind, true
     FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::text[], $5::bytea[]) AS link (app, "from", "to", kind, same_id)
     JOIN subjects f ON f.handle = link."from"
     JOIN subjects t ON t.handle = link."to"
     LEFT JOIN subjects s ON s.handle = link.same_id
     WHERE NOT EXISTS (
       SELECT FROM subject_blocks b WHERE b.subject_id IN (f.subject_id, t.subject_id, s.subject_id)
     )
     ORDER BY 2, 3, 4
     ON CONFLICT DO NOTHING`,
    [
      items.map((item) => item.app),
      items.map((item) => item.link.from),
      items.map((item) => item.link.to),
      items.map((item) => item.link.kind),
      items.map((item) => item.link.sameId ?? null),
    ],
  )
}
