import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deriveSubjectKeys } from '../../gate/subject-keys.ts'
import { lockBlocks } from '../../postgres/block-lock.ts'
import { createPostgres, type TransactingPostgres } from '../../postgres/client.ts'
import { destroySecrets } from '../../postgres/destroy-secrets.ts'
import { type Profile, readProfile, writeProfile, writeProfiles } from '../../postgres/users-pii.ts'
import { createKeyringStage, type KeyringStage } from '../keyring-stage.ts'

let at: KeyringStage
let postgres: TransactingPostgres
beforeAll(async () => {
  at = await createKeyringStage()
  postgres = createPostgres(at.stage.config.postgres.url)
})
afterAll(async () => {
  await postgres?.close()
  await at?.close()
})

/** A person as a collector makes one. */
async function makePerson(): Promise<{ subjectId: string; secret: Buffer }> {
  const [[subjectId, secret]] = [...(await at.create(1))] as [[string, Buffer]]
  await postgres.query('person', `INSERT INTO subjects (handle, app, subject_id) VALUES ($1, 'shop', $2)`, [
    randomBytes(32),
    subjectId,
  ])
  return { subjectId, secret }
}

function profile(person: { subjectId: string; secret: Buffer }, change: Partial<Profile> = {}): Profile {
  return {
    subjectId: person.subjectId,
    app: 'shop',
    key: { secret: person.secret },
    personal: { email: 'ada@example.com', name: 'Ada Lovelace' },
    public: { plan: 'pro' },
    contacts: { email: Buffer.alloc(32, 7) },
    ...change,
  }
}

const contactsOf = async ({ subjectId }: { subjectId: string }) =>
  await postgres.query<{ field: string; contact_hash: Buffer }>(
    'contacts_of',
    'SELECT field, contact_hash FROM contacts WHERE subject_id = $1 ORDER BY field',
    [subjectId],
  )

const dump = async () =>
  JSON.stringify(
    await postgres.query(
      'dump',
      `SELECT p::text AS row FROM users_pii p UNION SELECT u::text FROM users_public u`,
      [],
    ),
  )

test('A profile is read as it was written, field by field the last wins, and stands nowhere in the clear', async () => {
  const person = await makePerson()
  await writeProfile({ postgres }, profile(person))
  await writeProfile({ postgres }, profile(person, { personal: { name: 'Ada King' }, public: { seats: 3 } }))
  expect(await readProfile({ postgres }, person)).toEqual({
    app: 'shop',
    personal: { email: 'ada@example.com', name: 'Ada King' },
    public: { plan: 'pro', seats: 3 },
  })
  const stored = await dump()
  for (const text of ['ada@example.com', Buffer.from('ada@example.com').toString('hex'), 'Lovelace']) {
    expect(stored).not.toContain(text)
  }
})

test('Many profiles go in one go, also several of one person, and the seal key alone will do', async () => {
  const people = await Promise.all(Array.from({ length: 50 }, makePerson))
  const first = people.map((person) => profile(person))
  const second = people.map((person) =>
    profile(person, {
      key: { sealKey: deriveSubjectKeys(person.secret).sealKey },
      personal: { city: 'London' },
      public: {},
    }),
  )
  await writeProfiles({ postgres }, [...first, ...second])
  for (const person of people.slice(0, 5)) {
    expect((await readProfile({ postgres }, person)).personal).toMatchObject({
      city: 'London',
      name: 'Ada Lovelace',
    })
  }
  await writeProfiles({ postgres }, [])
  const [moved] = people as [(typeof people)[0], ...typeof people]
  const contacts = [1, 2].map((byte) => profile(moved, { contacts: { email: Buffer.alloc(32, byte) } }))
  await writeProfiles({ postgres }, contacts)
  expect(await contactsOf(moved)).toEqual([{ field: 'email', contact_hash: Buffer.alloc(32, 2) }])
})

test('A sealed field can be moved neither to another field nor to another person', async () => {
  const [one, two] = [await makePerson(), await makePerson()]
  await writeProfile({ postgres }, profile(one))
  await writeProfile({ postgres }, profile(two))
  await postgres.query('swap', `UPDATE users_pii SET field = field || '2' WHERE subject_id = $1`, [
    one.subjectId,
  ])
  await expect(readProfile({ postgres }, one)).rejects.toThrow()
  await postgres.query(
    'move',
    `UPDATE users_pii a SET sealed = b.sealed FROM users_pii b
     WHERE a.subject_id = $1 AND b.subject_id = $2 AND b.field = a.field || '2'`,
    [two.subjectId, one.subjectId],
  )
  await expect(readProfile({ postgres }, { ...two, subjectId: two.subjectId })).rejects.toThrow()
})

test('Who is blocked or unknown gets nothing, and no error tells', async () => {
  const [person, stranger] = [await makePerson(), { subjectId: randomUUID(), secret: randomBytes(32) }]
  const request = randomUUID()
  await postgres.query(
    'request',
    `INSERT INTO privacy_requests (request_id, app, kind, state, proof, requested_by, blinds, grace_until, due_at)
     VALUES ($1, 'shop', 'erasure', 'blocked', 'email-code', 'test', '{}', now(), now())`,
    [request],
  )
  await postgres.query('block', 'INSERT INTO subject_blocks (subject_id, request_id) VALUES ($1, $2)', [
    person.subjectId,
    request,
  ])
  await writeProfiles({ postgres }, [profile(person), profile(stranger)])
  for (const one of [person, stranger]) {
    expect(await readProfile({ postgres }, one)).toEqual({ app: null, personal: {}, public: {} })
    expect(await contactsOf(one)).toEqual([])
  }
})

test('A write that waits behind a block finds it, and stores nothing', async () => {
  const person = await makePerson()
  const request = randomUUID()
  await postgres.query(
    'request',
    `INSERT INTO privacy_requests (request_id, app, kind, state, proof, requested_by, blinds, grace_until, due_at)
     VALUES ($1, 'shop', 'erasure', 'blocked', 'email-code', 'test', '{}', now(), now())`,
    [request],
  )
  let write: Promise<void> | undefined
  await postgres.transaction(async (within) => {
    await lockBlocks(within)
    write = writeProfile({ postgres }, profile(person))
    await new Promise((resolve) => setTimeout(resolve, 200))
    await within.query('block', 'INSERT INTO subject_blocks (subject_id, request_id) VALUES ($1, $2)', [
      person.subjectId,
      request,
    ])
  })
  await write
  expect(await readProfile({ postgres }, person)).toEqual({ app: null, personal: {}, public: {} })
  expect(await contactsOf(person)).toEqual([])
})

test('With the secret the personal fields are gone, though their rows are still there', async () => {
  const person = await makePerson()
  await writeProfile({ postgres }, profile(person))
  await destroySecrets(at.deps, [person.subjectId])
  expect((await at.keyring.readSecrets([person.subjectId])).size).toBe(0)
  await expect(
    readProfile({ postgres }, { subjectId: person.subjectId, secret: randomBytes(32) }),
  ).rejects.toThrow()
})
