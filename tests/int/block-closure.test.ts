import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blockSubjects, type ClosureStart, readClosure, unblock } from '../../postgres/block-subjects.ts'
import { createPostgres, type TransactingPostgres } from '../../postgres/client.ts'
import { openKeyring } from '../../postgres/keyring.ts'
import { migratePostgres } from '../../postgres/migrate.ts'
import { openKeyProvider } from '../../postgres/open-key-provider.ts'
import { createSubjectResolver, type SubjectResolver } from '../../postgres/resolve-subjects.ts'
import { createLinkWriter, type LinkWriter, type SubjectLink } from '../../postgres/subject-links.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let postgres: TransactingPostgres
let keyringPostgres: TransactingPostgres
let writer: (mayCreateUntil?: () => number) => LinkWriter
let resolver: (mayCreateUntil: () => number) => SubjectResolver

beforeAll(async () => {
  stage = await createStage({ migrate: false })
  await migratePostgres(stage.config)
  postgres = createPostgres(stage.config.postgres.url, { connections: 12 })
  keyringPostgres = createPostgres(stage.config.postgres.keyringUrl)
  const keyring = await openKeyring(keyringPostgres, await openKeyProvider(stage.config))
  // A new one has no memory of what it stored.
  writer = (mayCreateUntil = () => Number.MAX_SAFE_INTEGER) =>
    createLinkWriter({ postgres, keyring, mayCreateUntil })
  resolver = (mayCreateUntil) => createSubjectResolver({ postgres, keyring, mayCreateUntil })
})
afterAll(async () => {
  await Promise.all([postgres?.close(), keyringPostgres?.close()])
  await stage?.close()
})

interface Node {
  subjectId: string
  handle: Buffer
}

const named = (...handles: Buffer[]): ClosureStart => ({
  handles,
  contacts: { hashes: [], until: null },
  subjectIds: [],
})

async function makeSubjects(count: number): Promise<Node[]> {
  const nodes = Array.from({ length: count }, () => ({ subjectId: randomUUID(), handle: randomBytes(32) }))
  await postgres.query(
    'make_subjects',
    `INSERT INTO subjects (handle, app, subject_id) SELECT handle, 'shop', id FROM unnest($1::bytea[], $2::uuid[]) AS m (handle, id)`,
    [nodes.map((node) => node.handle), nodes.map((node) => node.subjectId)],
  )
  return nodes
}

async function makeRequest(): Promise<string> {
  const requestId = randomUUID()
  await postgres.query(
    'make_request',
    `INSERT INTO privacy_requests (request_id, app, kind, state, proof, requested_by, blinds, grace_until, due_at)
     VALUES ($1, 'shop', 'erasure', 'received', 'document-seen', 'test', '{}', now(), now())`,
    [requestId],
  )
  return requestId
}

const pick = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)]!
const randomLinks = (nodes: Node[], count: number): SubjectLink[] =>
  Array.from({ length: count }, () => ({
    kind: Math.random() < 0.5 ? ('identify' as const) : ('alias' as const),
    from: pick(nodes).handle,
    to: pick(nodes).handle,
  }))

/** The component of one subject over links, by repeated passes: another way than the code under test goes. */
function componentOf(start: string, links: readonly [string, string][]): Set<string> {
  const component = new Set([start])
  for (let size = 0; size !== component.size; ) {
    size = component.size
    for (const [from, to] of links) {
      if (component.has(from)) component.add(to)
      if (component.has(to)) component.add(from)
    }
  }
  return component
}

async function storedLinks(nodes: Node[], asserted: boolean): Promise<[string, string][]> {
  const rows = await postgres.query<{ from_subject: string; to_subject: string }>(
    'stored_links',
    'SELECT from_subject, to_subject FROM subject_links WHERE from_subject = ANY($1::uuid[]) AND asserted = $2',
    [nodes.map((node) => node.subjectId), asserted],
  )
  return rows.map((row) => [row.from_subject, row.to_subject])
}

async function blockedOf(requestId: string): Promise<string[]> {
  const rows = await postgres.query<{ subject_id: string }>(
    'blocked_of',
    'SELECT subject_id FROM subject_blocks WHERE request_id = $1 ORDER BY subject_id',
    [requestId],
  )
  return rows.map((row) => row.subject_id)
}

async function guessLinks(nodes: Node[]): Promise<void> {
  const [from, to] = [nodes.map((node) => node.subjectId), nodes.toReversed().map((node) => node.subjectId)]
  await postgres.query(
    'guess_links',
    `INSERT INTO subject_links (app, from_subject, to_subject, kind, asserted)
     SELECT 'shop', f, t, 'alias', false FROM unnest($1::uuid[], $2::uuid[]) AS guess (f, t) ON CONFLICT DO NOTHING`,
    [from, to],
  )
}

test('200 random graphs, links injected while blocking: what is blocked is the whole component, and nobody else', async () => {
  let refused = 0
  let grown = 0
  for (let graph = 0; graph < 200; graph++) {
    const nodes = await makeSubjects(4 + Math.floor(Math.random() * 14))
    await guessLinks(nodes)
    await writer().write(randomLinks(nodes, Math.floor(nodes.length / 2)), 'shop')
    const before = await storedLinks(nodes, true)
    const start = nodes[0]!
    const requestId = await makeRequest()
    const injected = randomLinks(nodes, 6)
    // Some of them before the block, some in its midst, some after it.
    const writes = injected.map(async (link) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 8))
      await writer().write([link], 'shop')
    })
    // Every other block begins when a link has just been written: by chance alone a quick machine sees too few of them.
    if (graph % 2 === 0) await Promise.race(writes)
    else await new Promise((resolve) => setTimeout(resolve, Math.random() * 4))
    const [closure] = await Promise.all([
      blockSubjects(postgres, { requestId, ...named(start.handle) }),
      ...writes,
    ])

    const links = await storedLinks(nodes, true)
    const component = [...componentOf(start.subjectId, links)].sort()
    expect(closure.map((one) => one.subjectId).sort()).toEqual(component)
    expect(await blockedOf(requestId)).toEqual(component)
    expect((await readClosure(postgres, named(start.handle))).map((one) => one.subjectId).sort()).toEqual(
      component,
    )
    refused += injected.length + before.length - links.length
    grown += component.length - componentOf(start.subjectId, before).size
  }
  // Else the test would not have tried what it is for.
  expect(refused).toBeGreaterThan(20)
  expect(grown).toBeGreaterThan(20)
}, 300_000)

test('An alias from an id whose other kind is blocked is refused like one from the id itself', async () => {
  const [user, device, other, free] = (await makeSubjects(4)) as [Node, Node, Node, Node]
  await blockSubjects(postgres, { requestId: await makeRequest(), ...named(user.handle) })
  const alias = (from: Node, sameId: Node): SubjectLink => ({
    ...{ kind: 'alias', from: from.handle, to: other.handle, sameId: sameId.handle },
  })
  await writer().write([alias(user, device), alias(device, user), alias(free, other)], 'shop')
  expect(await storedLinks([user, device, free], true)).toEqual([[free.subjectId, other.subjectId]])
})

test('Who is only named by a link is born with it: not when it is refused, and with a secret when it is taken', async () => {
  const [blocked, free] = (await makeSubjects(2)) as [Node, Node]
  await blockSubjects(postgres, { requestId: await makeRequest(), ...named(blocked.handle) })
  const [device, twin, taken, both] = Array.from({ length: 4 }, () => randomBytes(32)) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ]
  await writer().write(
    [
      { kind: 'identify', from: device, to: blocked.handle },
      { kind: 'alias', from: twin, to: free.handle, sameId: blocked.handle },
      { kind: 'identify', from: taken, to: free.handle },
      { kind: 'identify', from: both, to: blocked.handle },
      { kind: 'identify', from: both, to: free.handle },
    ],
    'shop',
  )
  const rows = await postgres.query<{ handle: Buffer; subject_id: string }>(
    'born_handles',
    'SELECT handle, subject_id FROM subjects WHERE handle = ANY($1::bytea[])',
    [[device, twin, taken, both]],
  )
  const hex = (handles: Buffer[]) => handles.map((handle) => handle.toString('hex')).sort()
  expect(hex(rows.map(({ handle }) => handle))).toEqual(hex([taken, both]))
  const ids = rows.map(({ subject_id }) => subject_id).sort()
  expect((await readClosure(postgres, named(free.handle))).map((one) => one.subjectId).sort()).toEqual(
    [free.subjectId, ...ids].sort(),
  )
  // Each of the two has its secret; those of the others go again.
  await expect
    .poll(async () => {
      const secrets = await keyringPostgres.query<{ subject_id: string }>(
        'all_secrets',
        'SELECT subject_id FROM subject_secrets ORDER BY subject_id',
        [],
      )
      return secrets.map((one) => one.subject_id)
    })
    .toEqual(ids)
})

test('Two writers that name the same new ids at once, in other orders, agree on who they are', async () => {
  const [one, other] = (await makeSubjects(2)) as [Node, Node]
  const unborn = Array.from({ length: 200 }, () => randomBytes(32))
  const links = unborn.map((from): SubjectLink => ({ kind: 'identify', from, to: one.handle }))
  const others = unborn.map((from): SubjectLink => ({ kind: 'alias', from, to: other.handle }))
  await Promise.all([writer().write(links, 'shop'), writer().write(others.toReversed(), 'shop')])
  const closure = await readClosure(postgres, named(one.handle))
  expect(closure).toHaveLength(202)
  expect(closure.map((each) => each.subjectId)).toContain(other.subjectId)
})

test('Nobody is born of a link after the moment up to which that is allowed', async () => {
  const [person] = (await makeSubjects(1)) as [Node]
  const unborn = randomBytes(32)
  const late = writer(() => Date.now() - 1)
  const link: SubjectLink = { kind: 'identify', from: unborn, to: person.handle }
  await expect(late.write([link], 'shop')).rejects.toMatchObject({ code: 'subjects_unavailable' })
  // The moment is of when it was asked for: a lease that is renewed meanwhile says nothing of what was seen before.
  let until = Date.now() - 1
  const renewed = writer(() => until).write([link], 'shop')
  until = Date.now() + 60_000
  await expect(renewed).rejects.toMatchObject({ code: 'subjects_unavailable' })
  expect(await readClosure(postgres, named(unborn))).toHaveLength(0)
  await writer(() => Date.now() + 60_000).write([link], 'shop')
  expect(await readClosure(postgres, named(unborn))).toHaveLength(2)
})

test('Nobody is made by a look-up after the moment that held when it was asked for', async () => {
  const unborn = randomBytes(32)
  let until = Date.now() - 1
  const looked = Promise.resolve(resolver(() => until).resolve([unborn], 'shop'))
  until = Date.now() + 60_000
  await expect(looked).rejects.toMatchObject({ code: 'subjects_unavailable' })
  expect(await readClosure(postgres, named(unborn))).toHaveLength(0)
  await resolver(() => until).resolve([unborn], 'shop')
  expect(await readClosure(postgres, named(unborn))).toHaveLength(1)
})

test('Whoever fails after their secrets were made leaves nobody without one', async () => {
  const [person] = (await makeSubjects(1)) as [Node]
  const [one, other] = [randomBytes(32), randomBytes(32)]
  const links = [one, other].map((from): SubjectLink => ({ kind: 'identify', from, to: person.handle }))
  await expect(writer(() => 0).write(links, 'shop')).rejects.toThrow()
  const later = Date.now() + 60_000
  // Those who come next: a look-up of the one, and a link to both, at once.
  await Promise.all([resolver(() => later).resolve([one], 'shop'), writer(() => later).write(links, 'shop')])
  expect(await readClosure(postgres, named(person.handle))).toHaveLength(3)
  const tokens = await resolver(() => later).resolve([one, other], 'shop')
  expect(new Set(tokens.map(({ token }) => token.toString('hex'))).size).toBe(2)
})

test('A repeat adds who was born since; a cancelled block lets links through again, but not where another request blocks', async () => {
  const [person, other] = (await makeSubjects(2)) as [Node, Node]
  const unborn = randomBytes(32)
  const [one, two] = [await makeRequest(), await makeRequest()]
  const wish = { requestId: one, ...named(person.handle, unborn) }
  expect(await blockSubjects(postgres, wish)).toHaveLength(1)
  const born = randomUUID()
  await postgres.query('born', `INSERT INTO subjects (handle, app, subject_id) VALUES ($1, 'shop', $2)`, [
    unborn,
    born,
  ])
  expect((await blockSubjects(postgres, wish)).map((each) => each.subjectId)).toContain(born)

  await blockSubjects(postgres, { requestId: two, ...named(person.handle) })
  const link: SubjectLink = { kind: 'alias', from: other.handle, to: person.handle }
  const linked = async () => {
    await writer().write([link], 'shop')
    return (await storedLinks([other], true)).length
  }
  await unblock(postgres, one)
  expect(await linked()).toBe(0)
  await unblock(postgres, two)
  expect(await linked()).toBe(1)
})
