import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blockSubjects, type ClosureStart, readClosure, unblock } from '../../postgres/block-subjects.ts'
import { createPostgres, type TransactingPostgres } from '../../postgres/client.ts'
import { migratePostgres } from '../../postgres/migrate.ts'
import { createLinkWriter, type SubjectLink } from '../../postgres/subject-links.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let postgres: TransactingPostgres

beforeAll(async () => {
  stage = await createStage({ migrate: false })
  await migratePostgres(stage.config)
  postgres = createPostgres(stage.config.postgres.url, { connections: 12 })
})
afterAll(async () => {
  await postgres?.close()
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
    await createLinkWriter(postgres).write(randomLinks(nodes, Math.floor(nodes.length / 2)), 'shop')
    const before = await storedLinks(nodes, true)
    const start = nodes[0]!
    const requestId = await makeRequest()
    const injected = randomLinks(nodes, 6)
    // Some of them before the block, some in its midst, some after it.
    const writes = injected.map(async (link) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 8))
      await createLinkWriter(postgres).write([link], 'shop')
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
  await createLinkWriter(postgres).write(
    [alias(user, device), alias(device, user), alias(free, other)],
    'shop',
  )
  expect(await storedLinks([user, device, free], true)).toEqual([[free.subjectId, other.subjectId]])
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
    await createLinkWriter(postgres).write([link], 'shop')
    return (await storedLinks([other], true)).length
  }
  await unblock(postgres, one)
  expect(await linked()).toBe(0)
  await unblock(postgres, two)
  expect(await linked()).toBe(1)
})
