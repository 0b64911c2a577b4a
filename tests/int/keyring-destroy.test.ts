import { copyFile, readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { destroySecrets, secretsRemaining } from '../../postgres/destroy-secrets.ts'
import { ALL_SHARDS, shardOf } from '../../postgres/key-shard.ts'
import { openKeyring } from '../../postgres/keyring.ts'
import { createRequestKey, readRequestKey } from '../../postgres/request-keys.ts'
import { findStretches, openSecrets, openStretches, openVersions } from '../keyring-attacker.ts'
import { createKeyringStage, type KeyringStage, readDisk, walPosition } from '../keyring-stage.ts'

let at: KeyringStage
beforeAll(async () => {
  at = await createKeyringStage()
})
afterAll(() => at?.close())

const NOTHING = { secrets: 0, oldVersions: 0, oldKeys: [] }
const keyFile = () => readFile(at.stage.config.keyFile, 'utf8')

describe('someone with every copy of the keyring that was ever on disk', () => {
  test('opens no destroyed secret with the key file of after, each with the one of before, and all survivors', async () => {
    const since = await walPosition(at.postgres)
    const people = await at.create(800)
    const victims = [...people.keys()].slice(0, 12)
    const survivors = [...people.keys()].slice(12)
    const before = await at.copyRows()
    const pages = findStretches(await readDisk(at.postgres, since), victims)
    await copyFile(at.stage.config.keyFile, `${at.stage.config.keyFile}.before`)

    const done = await destroySecrets(at.deps, victims)

    const touched = [...new Set(victims.map(shardOf))].sort((a, b) => a - b)
    expect(done.shards.map((one) => one.shard).sort((a, b) => a - b)).toEqual(touched)
    expect(done.destroyedKeys.sort()).toEqual(touched.map((shard) => `shard-${shard}-v1`).sort())
    expect(done.goneByMs).toBeLessThanOrEqual(Date.now())
    expect(await secretsRemaining(at.deps, victims)).toEqual(NOTHING)

    const after = await at.copyRows()
    const versions = [...before.versions, ...after.versions]
    const rows = [...before.secrets, ...after.secrets]
    const disk = [...pages, ...findStretches(await readDisk(at.postgres, since), victims)]
    const stolen = openVersions(await readFile(`${at.stage.config.keyFile}.before`, 'utf8'), versions)
    const found = openSecrets(stolen, before.secrets)
    for (const id of victims) expect(found.get(id)).toEqual(people.get(id))
    expect([...openStretches(stolen, disk)].sort()).toEqual([...victims].sort())

    const left = openVersions(await keyFile(), versions)
    expect(left).toHaveLength(ALL_SHARDS.length)
    const opened = openSecrets(left, rows)
    for (const id of victims) expect(opened.get(id)).toBeUndefined()
    expect(openStretches(left, disk)).toEqual(new Set())
    for (const id of survivors) expect(opened.get(id)).toEqual(people.get(id))
  })

  test('finds no destroyed id in the tables or their statistics', async () => {
    const ids = [...(await at.create(300)).keys()].filter((_, index) => index % 3 === 0)
    const found = async () => {
      const disk = await readDisk(at.postgres, 'FFFFFFFF/FFFFFFFF')
      return ids.filter((id) => disk.includes(Buffer.from(id.replaceAll('-', ''), 'hex')))
    }
    expect(await found()).toEqual(ids)
    await destroySecrets(at.deps, ids)
    expect(await found()).toEqual([])
    // Nor are samples of ids taken, of anyone.
    const sampled = await at.postgres.query<{ column: string }>(
      'sampled',
      `SELECT attname AS column FROM pg_stats WHERE tablename = 'subject_secrets' ORDER BY 1`,
      [],
    )
    for (const { column } of sampled) expect(['key_version', 'shard']).toContain(column)
  })
})

test('An open keyring reads the survivors and writes new people on, and has forgotten the destroyed', async () => {
  const open = await openKeyring(at.postgres, at.provider)
  const people = await at.create(300)
  const victims = [...people.keys()].slice(0, 100)
  await destroySecrets(at.deps, victims)
  const read = await open.readSecrets([...people.keys()])
  expect(read).toEqual(new Map([...people].slice(100)))
  const made = await open.createSecrets(victims)
  for (const { subjectId, secret } of made) expect(secret).not.toEqual(people.get(subjectId))
  await destroySecrets(at.deps, victims)
  expect(await secretsRemaining(at.deps, victims)).toEqual(NOTHING)
})

test('Destroying again, or what was never there, changes nothing', async () => {
  const victims = [...(await at.create(20)).keys()]
  await destroySecrets(at.deps, victims)
  const rows = await at.copyRows()
  expect((await destroySecrets(at.deps, victims)).destroyedKeys).toEqual([])
  expect((await destroySecrets(at.deps, [])).shards).toEqual([])
  expect(await at.copyRows()).toEqual(rows)
})

test.each([
  'keyfile.after-rename',
  'keyring.after-version',
  'keyring.after-chunk',
  'keyring.after-delete',
  'keyring.after-version-delete',
  'keyring.after-key-destroyed',
  'keyring.before-vacuum',
])('A crash at %s loses no survivor, and the next attempt ends what it began', async (point) => {
  const people = await at.create(400)
  const victims = [...people.keys()].slice(0, 6)
  const survivors = [...people].slice(6)
  const before = await at.copyRows()
  expect(await at.destroyInChild(victims, `${point}:1`)).toBe('SIGKILL')
  // Others go on at once, with what is half done.
  const keyring = await openKeyring(at.postgres, at.provider)
  expect(await keyring.readSecrets(survivors.map(([id]) => id))).toEqual(new Map(survivors))
  const late = await at.create(70)

  await destroySecrets(at.deps, victims)
  expect(await secretsRemaining(at.deps, victims)).toEqual(NOTHING)
  const left = openVersions(await keyFile(), before.versions)
  const opened = openSecrets(left, before.secrets)
  for (const id of victims) expect(opened.get(id)).toBeUndefined()
  const all = new Map([...survivors, ...late])
  expect(await keyring.readSecrets([...all.keys()])).toEqual(all)
})

test('Who was written under the old version by a statement that ended late is taken along', async () => {
  const victim = crypto.randomUUID()
  const late = `${victim.slice(0, 2)}${crypto.randomUUID().slice(2)}`
  await at.keyring.createSecrets([victim])
  let made: Buffer | undefined
  let destroyed: Promise<unknown> | undefined
  await at.postgres.transaction(async (within) => {
    const slow = await openKeyring({ ...at.postgres, query: within.query }, at.provider)
    made = (await slow.createSecrets([late]))[0]!.secret
    destroyed = destroySecrets(at.deps, [victim])
    await new Promise((resolve) => setTimeout(resolve, 1_000))
  })
  await destroyed
  expect(await at.keyring.readSecrets([victim, late])).toEqual(new Map([[late, made]]))
})

test('Two destroyers and four writers at once: who is made stays, who is destroyed goes', async () => {
  const keyrings = await Promise.all([0, 1, 2, 3].map(() => openKeyring(at.postgres, at.provider)))
  const doomed = [...(await at.create(60)).keys()]
  const made = new Map<string, Buffer>()
  let over = false
  const writers = keyrings.map(async (keyring) => {
    while (!over) {
      const ids = Array.from({ length: 10 }, () => crypto.randomUUID())
      for (const one of await keyring.createSecrets(ids)) made.set(one.subjectId, one.secret)
      const [first] = ids
      expect((await keyring.readSecrets([first!])).get(first!)).toEqual(made.get(first!))
    }
  })
  await Promise.all([
    destroySecrets(at.deps, doomed.slice(0, 40)),
    destroySecrets(at.deps, doomed.slice(20, 60)),
  ])
  await destroySecrets(at.deps, doomed.slice(0, 10))
  over = true
  await Promise.all(writers)
  expect(made.size).toBeGreaterThan(100)
  for (const keyring of keyrings) expect(await keyring.readSecrets([...made.keys()])).toEqual(made)
  expect(await secretsRemaining(at.deps, doomed)).toEqual(NOTHING)
})

test("A request's key is made once, by whoever asks first, and dies like a person's secret", async () => {
  const id = crypto.randomUUID()
  const [one, two] = await Promise.all([createRequestKey(at.keyring, id), createRequestKey(at.keyring, id)])
  expect(two).toEqual(one)
  expect(await readRequestKey(at.keyring, id)).toEqual(one)
  await destroySecrets(at.deps, [id])
  expect(await readRequestKey(at.keyring, id)).toBeNull()
})

test('What is left is told: rows, an older version, a key of one', async () => {
  const [id] = [...(await at.create(1)).keys()]
  expect(await secretsRemaining(at.deps, [id!])).toMatchObject({ secrets: 1 })
  const shard = shardOf(id!)
  await at.provider.createKey(`shard-${shard}-v0`)
  expect((await secretsRemaining(at.deps, [id!])).oldKeys).toEqual([`shard-${shard}-v0`])
  expect((await destroySecrets(at.deps, [id!])).destroyedKeys).toContain(`shard-${shard}-v0`)
  expect(await secretsRemaining(at.deps, [id!])).toEqual(NOTHING)
})
