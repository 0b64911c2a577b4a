import { randomUUID } from 'node:crypto'
import { EbbError } from '../runtime/errors.ts'
import { faultPoint } from '../runtime/fault.ts'
import { batchMisses } from './batch-misses.ts'
import { holdOffBlocks } from './block-lock.ts'
import type { Postgres, TransactingPostgres } from './client.ts'
import type { Keyring } from './keyring.ts'
import { createRecentMap } from './recent-map.ts'

/** A link that a person asserted (login, alias). */
export interface SubjectLink {
  kind: 'identify' | 'alias'
  /** Has a row in `subjects`, or gets one with the link: who is only named by a link that is refused is not noted at all. */
  from: Buffer
  /** Has its row in `subjects`. */
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

export interface LinkWriterDeps {
  /** Database `ebb`. */
  postgres: TransactingPostgres
  keyring: Pick<Keyring, 'createSecrets' | 'dropSecrets'>
  /** As for the resolver, see resolve-subjects.ts. */
  mayCreateUntil?: () => number
  /** Links kept in memory. Default 100,000. */
  capacity?: number
}

/** Batches links as misses are batched: each identify call of a session repeats its link, and only the first is written. */
export function createLinkWriter(deps: LinkWriterDeps): LinkWriter {
  const { capacity = 100_000 } = deps
  let stored = createRecentMap<true>(capacity)
  const store = batchMisses<LinkOfApp, true>((items) => insertLinks(deps, items), {
    windowMs: 2,
    batchSize: 1_000,
    concurrency: 2,
    pendingLimit: 20_000,
  })
  return {
    write(links, app) {
      const missing = new Map<string, SubjectLink>()
      for (const link of links) {
        const key = `${link.kind}${link.from.toString('latin1')}${link.to.toString('latin1')}`
        if (!stored.get(key)) missing.set(key, link)
      }
      if (missing.size === 0) return undefined
      const remembered = stored
      // Taken now, with the look that it belongs to: a lease is renewed while links wait.
      const until = deps.mayCreateUntil?.()
      const writes = [...missing].map(async ([key, link]) => {
        await store(key, { link, app, until })
        remembered.set(key, true)
      })
      return Promise.all(writes).then(() => {})
    },
    forget() {
      stored = createRecentMap<true>(capacity)
    },
  }
}

interface LinkOfApp {
  link: SubjectLink
  app: string
  /** Nobody is made for it after this moment, milliseconds since 1970. */
  until: number | undefined
  /** What `from` gets, if nobody bears it yet. */
  newSubjectId?: string
}

async function insertLinks(deps: LinkWriterDeps, items: LinkOfApp[]): Promise<true[]> {
  try {
    const { links, made } = await prepareNew(deps, items)
    const born = await deps.postgres.transaction((within) => insertUnblocked(within, links))
    // Only now: after a failure it is not known who was born. Not waited for: an unused secret harms no one.
    const unused = made.filter((id) => !born.has(id))
    if (unused.length > 0) deps.keyring.dropSecrets(unused).catch(() => {})
  } catch (cause) {
    if (cause instanceof EbbError && cause.code === 'key_unwrap_failed') throw cause
    throw new EbbError('subjects_unavailable', 'links cannot be stored', { cause })
  }
  return items.map(() => true)
}

/**
 * Makes secrets for those whom so far only a link names: in the keyring before the person is in `subjects`, as for anyone who is new.
 * @returns the links, and the ids of the subjects made ready
 */
async function prepareNew(
  { postgres, keyring }: LinkWriterDeps,
  items: LinkOfApp[],
): Promise<{ links: LinkOfApp[]; made: string[] }> {
  const rows = await postgres.query<{ handle: Buffer }>(
    'read_link_ends',
    'SELECT handle FROM subjects WHERE handle = ANY($1::bytea[])',
    [items.map(({ link }) => link.from)],
  )
  const keyOf = (handle: Buffer) => handle.toString('latin1')
  const known = new Set(rows.map(({ handle }) => keyOf(handle)))
  const strangers = new Set(items.map(({ link }) => keyOf(link.from)).filter((key) => !known.has(key)))
  if (strangers.size === 0) return { links: items, made: [] }
  const ids = new Map([...strangers].map((key) => [key, randomUUID()]))
  const made = [...ids.values()]
  await keyring.createSecrets(made)
  faultPoint('collector.after-subject-secret')
  const links = items.map((item) => {
    const newSubjectId = ids.get(keyOf(item.link.from))
    return newSubjectId === undefined ? item : { ...item, newSubjectId }
  })
  return { links, made }
}

const NOT_BLOCKED = (subjects: string) =>
  `NOT EXISTS (SELECT FROM subject_blocks b WHERE b.subject_id IN (${subjects}))`

/**
 * A block that comes later waits for this commit and finds the links, one that came before refuses them. A refused
 * link is no error: its person is being erased, and the answer tells nobody.
 * @returns subject ids of those who came into being with a link
 */
async function insertUnblocked(
  within: Pick<Postgres, 'query'>,
  items: LinkOfApp[],
): Promise<ReadonlySet<string>> {
  await holdOffBlocks(within)
  const unborn = items.filter(({ newSubjectId }) => newSubjectId)
  const born = unborn.length > 0 ? await insertNew(within, unborn) : []
  await within.query(
    'create_links',
    `INSERT INTO subject_links (app, from_subject, to_subject, kind, asserted)
     SELECT link.app, f.subject_id, t.subject_id, link.kind, true
     FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::text[], $5::bytea[]) AS link (app, "from", "to", kind, same_id)
     JOIN subjects f ON f.handle = link."from"
     JOIN subjects t ON t.handle = link."to"
     LEFT JOIN subjects s ON s.handle = link.same_id
     WHERE ${NOT_BLOCKED('f.subject_id, t.subject_id, s.subject_id')}
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
  if (born.length > 0) await requireInTime(within, unborn)
  return new Set(born)
}

/** In the order of handles, like anyone who makes people: two who make the same ones never wait for each other in a circle. */
async function insertNew(within: Pick<Postgres, 'query'>, unborn: LinkOfApp[]): Promise<string[]> {
  const rows = await within.query<{ subject_id: string }>(
    'create_link_ends',
    `INSERT INTO subjects (handle, app, subject_id)
     SELECT DISTINCT ON (link."from") link."from", link.app, link.subject_id
     FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bytea[], $5::uuid[]) AS link (app, "from", "to", same_id, subject_id)
     JOIN subjects t ON t.handle = link."to"
     LEFT JOIN subjects s ON s.handle = link.same_id
     WHERE ${NOT_BLOCKED('t.subject_id, s.subject_id')}
     ORDER BY link."from"
     ON CONFLICT (handle) DO NOTHING RETURNING subject_id`,
    [
      unborn.map((item) => item.app),
      unborn.map((item) => item.link.from),
      unborn.map((item) => item.link.to),
      unborn.map((item) => item.link.sameId ?? null),
      unborn.map((item) => item.newSubjectId),
    ],
  )
  return rows.map((row) => row.subject_id)
}

/** By Postgres's clock, and last: the commit alone comes after it. @throws EbbError, which takes back what was made */
async function requireInTime(within: Pick<Postgres, 'query'>, unborn: LinkOfApp[]): Promise<void> {
  const untils = unborn.flatMap(({ until }) => until ?? [])
  if (untils.length === 0) return
  const [clock] = await within.query<{ late: boolean }>(
    'is_too_late',
    'SELECT clock_timestamp() >= to_timestamp($1::double precision / 1000) AS late',
    [Math.min(...untils)],
  )
  if (clock!.late) throw new EbbError('subjects_unavailable', 'too late to make anybody')
}
