import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAwaitBlock } from '../../activities/await-block.ts'
import { createBlockSubjects } from '../../activities/block-subjects.ts'
import { createApp } from '../../postgres/apps.ts'
import {
  contactsOf,
  handlesOf,
  readRequest,
  setState,
  submitErasure,
} from '../../postgres/privacy-requests.ts'
import { createSubjectResolver, type SubjectResolver } from '../../postgres/resolve-subjects.ts'
import { createLinkWriter } from '../../postgres/subject-links.ts'
import { createProfileWriter, type ProfileWriter } from '../../postgres/write-profiles.ts'
import type { PersonIdentifier } from '../../schemas/erasure.ts'
import { contactTraits, loadRegistry } from '../../schemas/registry.ts'
import { readOpenRequest } from '../../workers/verifier/observation.ts'
import { createErasureWorld, type ErasureWorld } from '../erased-person.ts'
import { createStage, type Stage } from '../stage.ts'
import { insertRows, row } from './clickhouse-rows.ts'

let stage: Stage
let world: ErasureWorld
let resolver: SubjectResolver
let profiles: ProfileWriter

beforeAll(async () => {
  stage = await createStage({ environment: { EBB_SUPPRESS_S: '0', EBB_EVENTS_RETENTION_S: '1' } })
  world = await createErasureWorld(stage)
  await createApp(world.postgres, { app: 'learn' })
  resolver = createSubjectResolver({ postgres: world.postgres, keyring: world.edge.keyring })
  profiles = createProfileWriter(collectorDeps())
}, 300_000)
afterAll(async () => {
  await world?.close()
  await stage?.close()
})

const collectorDeps = () => ({
  postgres: world.postgres,
  keyring: world.edge.keyring,
  contactTraits: contactTraits(loadRegistry()),
})

interface Account {
  handle: Buffer
  subjectId: string
  token: Buffer
}

/** What a collector makes of `identify`. */
async function identify(
  userId: string,
  traits: Record<string, string>,
  app = 'shop',
  collector = profiles,
): Promise<Account> {
  const lookup = await world.edge.keyring.appLookupKey(app)
  const [handle] = handlesOf(lookup, [{ label: 'userId', value: userId }]) as [Buffer]
  const [keys] = await resolver.resolve([handle], app)
  const token = Buffer.from(keys!.token)
  await collector.write({ handle, token, app, personal: traits, public: {} })
  const [subject] = await world.postgres.query<{ subject_id: string }>(
    'test_subject_of',
    'SELECT subject_id FROM subjects WHERE handle = $1',
    [handle],
  )
  return { handle, subjectId: subject!.subject_id, token }
}

/** A request as its saga takes it to the journal. @returns its id */
async function ask(...identifiers: PersonIdentifier[]): Promise<string> {
  const requestId = await world.edge.block('shop', identifiers)
  await setState(world.postgres, requestId, 'blocked')
  await world.verify().logReceived({ requestId })
  await world.verify().observeClosure({ requestId })
  return requestId
}
/** A request as the office takes it in; its saga has done nothing yet. */
const submitByEmail = (value: string) => {
  const { postgres, keyring } = world.edge
  const deps = { postgres, keyring, now: Date.now, privacy: { graceMs: 0, dueMs: 60_000 } }
  return submitErasure(
    deps,
    { app: 'shop', identifiers: [{ label: 'email', value }], proof: 'email-code' },
    'test',
  )
}
const byEmail = (value: string) => ask({ label: 'email', value })

/** Whom the eraser takes the request to mean, which must be whom the verifier does. */
async function meantBy(requestId: string): Promise<string[]> {
  const { observed, sealed } = await readOpenRequest(world.verifier.deps, requestId)
  const [blocked, seen] = [sealed.subjects, observed!.subjects].map((all) =>
    all.map(({ subjectId }) => subjectId).sort(),
  )
  expect(seen).toEqual(blocked)
  return seen!
}

const contactsNow = async () =>
  await world.postgres.query<{ subject_id: string; row: string }>(
    'test_contacts',
    'SELECT subject_id, c::text AS row FROM contacts c ORDER BY subject_id, field',
    [],
  )

const address = () => `${randomUUID()}@example.com`
const idsOf = (...accounts: Account[]) => accounts.map(({ subjectId }) => subjectId).sort()

describe('an address that was given as a trait', () => {
  test('finds the person and all that is linked; they are erased and certified, and nobody else is touched', async () => {
    const email = address()
    const day = '2026-09-07'
    const ada = await identify('u-17', { email, name: 'Ada', phone: '+49 171 1' })
    const device = await identify('device-of-u-17', {})
    await createLinkWriter({ postgres: world.postgres, keyring: world.edge.keyring }).write(
      [{ kind: 'alias', from: ada.handle, to: device.handle }],
      'shop',
    )
    const bob = await identify('u-18', { email: address(), phone: '+49 171 2' })
    const namesake = await identify('u-17', { email }, 'learn')
    const rows = [ada, device, bob].map(({ token }, at) =>
      row({ app: 'shop', ts: Date.parse(`${day}T10:00:00Z`) + at, subject: new Uint8Array(token) }),
    )
    await insertRows(world.clickhouse, rows, 'test/contact/1')
    const others = (await contactsNow()).filter(({ subject_id }) => subject_id !== ada.subjectId)
    expect(others.map(({ subject_id }) => subject_id)).toEqual(expect.arrayContaining(idsOf(bob, namesake)))

    const requestId = await byEmail(`  ${email.toUpperCase()} `)
    expect(await meantBy(requestId)).toEqual(idsOf(ada, device))
    const sealed = await world.edge.sealed(requestId)
    expect(sealed.handles).toEqual(
      expect.arrayContaining([ada, device].map(({ handle }) => handle.toString('hex'))),
    )

    const verifier = world.verify()
    const found = async () => (await verifier.verifyAbsence({ requestId })).found.map(({ store }) => store)
    expect(await world.verify(100).verifyAbsence({ requestId })).not.toEqual({ found: [] })
    const subjectIds = idsOf(ada, device)
    const who = { requestId, identifiers: [], tokens: [ada.token, device.token], subjectIds, day }
    await world.erase(who)
    expect(await found()).toEqual([])
    await world.destroyKeys(who)
    await verifier.certify({ requestId, kind: 'certificate' })
    await setState(world.postgres, requestId, 'certified')
    expect(await contactsNow()).toEqual(others)

    // Back with the same address, as another user: somebody new, who stands in the way of no further look.
    await world.edge.lift(requestId)
    const returned = await identify('u-19', { email })
    expect(await world.observe({ requestId })).toBe(2)
    expect(await found()).toEqual([])
    // All that the second certificate lacks is that copies age.
    await expect(verifier.certify({ requestId, kind: 'closed' })).rejects.toMatchObject({
      code: 'horizons_pending',
    })
    expect(await meantBy(await byEmail(email))).toEqual(idsOf(returned))
  }, 300_000)

  test('finds everyone who carries it', async () => {
    const email = address()
    const [mother, child] = [await identify('mother', { email }), await identify('child', { email })]
    expect(await meantBy(await byEmail(email))).toEqual(idsOf(mother, child))
  })

  test('finds nobody any more once the trait is another, or says nothing', async () => {
    const [old, current] = [address(), address()]
    const moved = await identify('moved', { email: old, phone: '0171 99' })
    await identify('moved', { email: current, phone: 'none' })
    expect(await meantBy(await byEmail(old))).toEqual([])
    expect(await meantBy(await ask({ label: 'phone', value: '017199' }))).toEqual([])
    expect(await meantBy(await ask({ label: 'phone', value: 'none' }))).toEqual([])
    expect(await meantBy(await byEmail(current))).toEqual(idsOf(moved))
  })

  test('keeps its moment when it is given again', async () => {
    const email = address()
    const { subjectId } = await identify('again', { email })
    const rowOf = async () => (await contactsNow()).find((one) => one.subject_id === subjectId)
    const before = await rowOf()
    await identify('again', { email: ` ${email}`, name: 'more' })
    expect(await rowOf()).toEqual(before)
  })

  test('does not find whoever gives it once the block is in force, and who did not wait is found', async () => {
    const email = address()
    const before = await identify('before', { email })
    const requestId = await world.edge.block('shop', [{ label: 'email', value: email }])
    const between = await identify('between', { email })
    await setState(world.postgres, requestId, 'blocked')
    const after = await identify('after', { email })
    // It has to wait yet, and the block is published anew meanwhile.
    const awaitBlock = createAwaitBlock({
      ...world.edge.deps,
      leaseMs: 1_000,
      readIngestProgress: async () => [],
    })
    await expect(awaitBlock({ requestId })).rejects.toMatchObject({ type: 'block_pending' })
    await world.verify().observeClosure({ requestId })
    expect(await meantBy(requestId)).toEqual(idsOf(before, between))
    // Nothing of who is blocked is taken any more.
    profiles.forget(before.handle)
    const stored = (await contactsNow()).filter((one) => one.subject_id !== after.subjectId)
    await identify('before', { email: address(), phone: '1' })
    await identify('after', { email: address() })
    expect((await contactsNow()).filter((one) => one.subject_id !== after.subjectId)).toEqual(stored)
  })

  test('is waited for from when the request counts as blocked: contacts are taken until then', async () => {
    const email = address()
    await identify('waited-for', { email })
    const requestId = await world.edge.block('shop', [{ label: 'email', value: email }])
    const wait = async () => {
      const awaitBlock = createAwaitBlock({
        ...world.edge.deps,
        leaseMs: 60_000,
        readIngestProgress: async () => [],
      })
      const failure: { nextRetryDelay: number } = await awaitBlock({ requestId }).catch((error) => error)
      return failure.nextRetryDelay
    }
    await sleep(1_500)
    const beforeIt = await wait()
    await setState(world.postgres, requestId, 'blocked')
    expect((await wait()) - beforeIt).toBeGreaterThan(1_000)
  })

  test('is another than a user id of the same text, whose request it does not join', async () => {
    const email = address()
    const carrier = await identify('carrier', { email })
    const byUserId = await ask({ label: 'userId', value: email })
    expect(await meantBy(byUserId)).toEqual([])
    const requestId = await byEmail(email)
    expect(requestId).not.toBe(byUserId)
    expect(await meantBy(requestId)).toEqual(idsOf(carrier))
  })

  test('joins the request for it that runs', async () => {
    const email = address()
    await identify('asks-twice', { email })
    const requestId = await byEmail(email)
    expect(await submitByEmail(email)).toEqual({ requestId, joined: true })
  })

  test('is looked up as it stands, whichever collector stored it last', async () => {
    const [one, other] = [address(), address()]
    const elsewhere = createProfileWriter(collectorDeps())
    const person = await identify('roams', { email: one })
    await identify('roams', { email: other }, 'shop', elsewhere)
    const hashOf = async () => (await contactsNow()).find((row) => row.subject_id === person.subjectId)?.row
    const stale = await hashOf()
    await identify('roams', { email: one })
    await expect.poll(hashOf, { timeout: 10_000 }).not.toBe(stale)
    expect(await meantBy(await byEmail(other))).toEqual([])
    expect(await meantBy(await byEmail(one))).toEqual(idsOf(person))
  })

  test('still means whom the verifier has seen to carry it, when they give another just before the block', async () => {
    const email = address()
    const person = await identify('quick', { email })
    const { requestId } = await submitByEmail(email)
    await world.verify().logReceived({ requestId })
    await identify('quick', { email: address() })
    await createBlockSubjects(world.edge.deps)({ requestId })
    await setState(world.postgres, requestId, 'blocked')
    await world.verify().observeClosure({ requestId })
    expect(await meantBy(requestId)).toEqual(idsOf(person))
  })

  test('finds who has it as user id, however it was typed to the officer', async () => {
    const email = address()
    const [byAddress, byNumber] = [await identify(email, {}), await identify('+4930123', {})]
    expect(await meantBy(await byEmail(` ${email.toUpperCase()}`))).toEqual(idsOf(byAddress))
    expect(await meantBy(await ask({ label: 'phone', value: '+49 (30) 123' }))).toEqual(idsOf(byNumber))
  })

  test('of nobody takes a request through the same states as one of somebody', async () => {
    const email = address()
    await identify('somebody', { email })
    const [known, unknown] = [await byEmail(email), await byEmail(address())]
    expect(await meantBy(unknown)).toEqual([])
    const [one, other] = await Promise.all(
      [known, unknown].map((requestId) => readRequest(world.postgres, requestId)),
    )
    expect(other!.state).toBe(one!.state)
    expect(Object.keys(other!.progress).sort()).toEqual(Object.keys(one!.progress).sort())
  })
})

test('a number finds the person however it is written, and is no address', async () => {
  const person = await identify('caller', { phone: '+49 (171) 123-456' })
  expect(await meantBy(await ask({ label: 'email', value: '+49171123456' }))).toEqual([])
  expect(await meantBy(await ask({ label: 'phone', value: '49171123456' }))).toEqual([])
  expect(await meantBy(await ask({ label: 'phone', value: '(+49) 171 123456' }))).toEqual(idsOf(person))
})

test('what stands beside a profile is the hash alone, and the planner takes no samples of it', async () => {
  const email = address()
  const { subjectId } = await identify('hashed', { email })
  const lookup = await world.edge.keyring.appLookupKey('shop')
  const [hash] = contactsOf(lookup, [{ label: 'email', value: email }])
  const [stored] = (await contactsNow()).filter((one) => one.subject_id === subjectId)
  expect(stored!.row).toContain(`,email,"\\\\x${hash!.toString('hex')}",`)
  const handles = handlesOf(lookup, [{ label: 'email', value: email }]).map((one) => one.toString('hex'))
  for (const handle of handles) expect(stored!.row).not.toContain(handle)
  await world.postgres.query('test_analyze', 'ANALYZE contacts', [])
  const samples = await world.postgres.query<{ attname: string }>(
    'test_samples',
    `SELECT attname FROM pg_stats WHERE tablename = 'contacts' ORDER BY attname`,
    [],
  )
  expect(samples.map((one) => one.attname)).toEqual(['field', 'since'])
})
