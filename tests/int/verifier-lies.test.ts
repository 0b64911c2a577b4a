import { randomBytes, randomUUID } from 'node:crypto'
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseTrustedKeys } from '../../certificates/trusted-keys.ts'
import { verifyCertificate } from '../../certificates/verify-certificate.ts'
import { archiveFiles } from '../../clickhouse/archive-files.ts'
import { putTokens } from '../../clickhouse/erase-tokens.ts'
import { contactsOf, readSealed, submitHandle, writeSealed } from '../../postgres/privacy-requests.ts'
import { getObject } from '../../s3/get-object.ts'
import { purgePrefix } from '../../s3/purge.ts'
import { putObject } from '../../s3/put-object.ts'
import { archiveBucket, archiveKey } from '../../schemas/archive.ts'
import type { Survivors } from '../../schemas/erasure.ts'
import { createVerifierActivities } from '../../workers/verifier/create-verifier-activities.ts'
import { certificateKey, proofKey } from '../../workers/verifier/log-files.ts'
import { formatKeyFile, openSigningKeys } from '../../workers/verifier/signing-keys.ts'
import { hashDataMap } from '../../workers/verifier/statements.ts'
import { createErasureWorld, type ErasedPerson, type ErasureWorld } from '../erased-person.ts'
import { createStage, type Stage } from '../stage.ts'
import { insertRows, row } from './clickhouse-rows.ts'

let stage: Stage
let world: ErasureWorld
/** Erased honestly, in one batch: one to be closed, one whose certificate is withdrawn, one whose evidence is forged. */
let closing: ErasedPerson
let withdrawn: ErasedPerson
let forged: ErasedPerson

beforeAll(async () => {
  // Copies that age are another matter here.
  stage = await createStage({ environment: { EBB_SUPPRESS_S: '0', EBB_EVENTS_RETENTION_S: '1' } })
  world = await createErasureWorld(stage)
  const people = await world.people(3, 'one day')
  ;[closing, withdrawn, forged] = people as [ErasedPerson, ErasedPerson, ErasedPerson]
  await world.eraseAll(people.map((who) => ({ who })))
}, 300_000)
afterAll(async () => {
  await world?.close()
  await stage?.close()
})

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const command = (query: string) =>
  world.clickhouse.command({ query, clickhouse_settings: { mutations_sync: '2' } })
const about = ({ requestId }: ErasedPerson) => ({ requestId })

test('the verifier sees by itself who is meant by a late link, whose request knows a handle and no id', async () => {
  const who = await world.person()
  const { handles } = await readSealed(world.edge.deps, who.requestId)
  const deps = { keyring: world.edge.keyring, privacy: { graceMs: 0, dueMs: 60_000 }, now: Date.now }
  const handle = Buffer.from(handles.at(-1)!, 'hex')
  const requestId = await submitHandle(world.postgres, deps, { app: 'shop', handle })
  expect(await world.observe({ requestId })).toBe(who.subjectIds.length)
})

describe('an honest eraser', () => {
  test('gets a certificate that verifies offline, and the second when the copies are gone', async () => {
    const who = closing
    const verifier = world.verify()
    expect(await verifier.verifyAbsence(about(who))).toEqual({ found: [] })
    await world.destroyKeys(who)
    expect(await verifier.verifyKeysGone(about(who))).toEqual({ found: [] })
    const first = await verifier.certify({ ...about(who), kind: 'certificate' })
    expect(await verifier.certify({ ...about(who), kind: 'certificate' })).toEqual(first)
    // Postgres's own log still has what was before the certificate, until its segments are gone.
    await expect
      .poll(async () => (await verifier.verifyHorizons(about(who))).pending, { timeout: 60_000 })
      .toMatchObject([{ store: 'postgres/wal' }])
    await expect(verifier.certify({ ...about(who), kind: 'closed' })).rejects.toMatchObject({
      code: 'horizons_pending',
    })
    await expect
      .poll(
        async () => {
          await world.postgres.query('switch_wal', 'SELECT pg_switch_wal()', [])
          await world.postgres.query('checkpoint', 'CHECKPOINT', [])
          return (await verifier.verifyHorizons(about(who))).pending
        },
        { timeout: 60_000 },
      )
      .toEqual([])
    // Nobody has withdrawn what Kafka holds: the saga may think so, a reading says otherwise.
    await expect(verifier.certify({ ...about(who), kind: 'closed' })).rejects.toMatchObject({
      code: 'horizons_pending',
    })
    await world.withdraw(who)
    const stores = (await verifier.verifyHorizons(about(who))).pending.map(({ store }) => store)
    expect(stores).toEqual(['kafka/subject_states', 'kafka/revocations'])
    await expect
      .poll(async () => (await verifier.verifyHorizons(about(who))).pending, {
        timeout: 120_000,
        interval: 2_000,
      })
      .toEqual([])
    const closed = await verifier.certify({ ...about(who), kind: 'closed' })
    expect(await verifier.certify({ ...about(who), kind: 'closed' })).toEqual(closed)
    expect(closed.logIndex).toBeGreaterThan(first.logIndex)

    const keys = await openSigningKeys(stage.config.verifier.folder, stage.config.log.origin)
    const { salt } = await readSealed(world.edge.deps, who.requestId)
    for (const { digest } of [first, closed]) {
      const verdict = verifyCertificate({
        certificate: (await getObject(world.s3, 'log', certificateKey(digest)))!,
        proof: (await getObject(world.s3, 'log', proofKey(digest)))!,
        keys: parseTrustedKeys(formatKeyFile(keys, [])),
        subject: { salt: Buffer.from(salt, 'hex'), label: 'email', value: who.identifiers[0]!.value },
        dataMap: hashDataMap(),
      })
      expect(verdict).toMatchObject({ ok: true })
    }

    // The second one falls, and then the first, while somebody is about to sign the second again.
    await verifier.supersede({ ...about(who), reason: 'survivor-found' })
    const { deps } = world.verifier
    const slow = createVerifierActivities({
      ...deps,
      async append(wish) {
        await verifier.supersede({ ...about(who), reason: 'survivor-found' })
        return await deps.append(wish)
      },
    })
    await expect(slow.certify({ ...about(who), kind: 'closed' })).rejects.toMatchObject({
      code: 'survivors_found',
    })
  }, 300_000)

  test('of a certificate that does not hold sees it superseded, and gets a new one', async () => {
    const who = withdrawn
    const verifier = world.verify()
    await world.destroyKeys(who)
    const first = await verifier.certify({ ...about(who), kind: 'certificate' })
    const superseded = await verifier.supersede({ ...about(who), reason: 'survivor-found' })
    expect(await verifier.supersede({ ...about(who), reason: 'survivor-found' })).toEqual(superseded)
    await expect(verifier.certify({ ...about(who), kind: 'closed' })).rejects.toMatchObject({
      code: 'survivors_found',
    })
    const second = await verifier.certify({ ...about(who), kind: 'certificate' })
    expect(second.logIndex).toBeGreaterThan(superseded.logIndex)
    expect(second.digest).not.toBe(first.digest)
  }, 300_000)
})

interface Lie {
  name: string
  /** Stores that the liar leaves out of its work. */
  without?: string[]
  /** Before anything is erased. */
  before?(who: ErasedPerson): Promise<unknown>
  /** What it does instead. */
  instead?(who: ErasedPerson): Promise<unknown>
  /** Where the verifier finds it. */
  store: string
  clean?(who: ErasedPerson): Promise<unknown>
  /** It changes what a day counts: told of somebody who has a day of their own. */
  ownDay?: true
}

const fileOf = ({ day, tokens }: ErasedPerson) => archiveKey(day, archiveBucket(tokens[0]!))
const tokenList = (who: ErasedPerson) => who.tokens.map((token) => `unhex('${hex(token)}')`).join(', ')

/** Found by what names the person: told in one batch, each of another person, and looked for in one look. */
const LIES_ABOUT_ONE: Lie[] = [
  {
    name: 'leaves an alias out of its closure',
    store: 'clickhouse/events',
    async before(who) {
      const sealed = await readSealed(world.edge.deps, who.requestId)
      const subjects = sealed.subjects.filter((one) => one.token !== hex(who.tokens[2]!))
      await writeSealed(world.edge.deps, who.requestId, { ...sealed, subjects })
    },
  },
  {
    name: 'leaves out whoever gave the address as a trait',
    store: 'postgres/vault',
    async before(who) {
      await addCarrier(who)
      await world.verify().observeClosure(about(who))
    },
    // Whoever it leaves out, it would not want to be found by.
    instead: () => world.postgres.query('lie_contact', 'DELETE FROM contacts', []),
  },
  {
    name: 'says "done" of ClickHouse and does nothing',
    without: ['clickhouse/events', 'clickhouse/aggregates'],
    instead: (who) => world.receipt(who, 'clickhouse/events'),
    store: 'clickhouse/events',
  },
  {
    name: 'masks rows instead of deleting them',
    without: ['clickhouse/events'],
    instead: (who) => command(`DELETE FROM events_raw WHERE subject IN (${tokenList(who)})`),
    store: 'clickhouse/events',
    ownDay: true,
  },
  {
    name: 'keeps a copy in a table of its own',
    before: (who) =>
      command(
        `CREATE TABLE hidden ENGINE = MergeTree ORDER BY ts AS SELECT * FROM events_raw WHERE subject IN (${tokenList(who)})`,
      ),
    clean: () => command('DROP TABLE hidden SYNC'),
    store: 'clickhouse/events',
  },
  {
    name: 'leaves its list of tokens behind',
    instead: (who) => putTokens(world.clickhouse, who.requestId, who.tokens),
    clean: () => command('TRUNCATE TABLE erase_tokens'),
    store: 'clickhouse/events',
  },
  {
    name: 'writes tokens into the text of a mutation',
    instead: (who) => command(`ALTER TABLE sessions DELETE WHERE subject IN (${tokenList(who)})`),
    store: 'clickhouse/events',
  },
  {
    name: 'deletes the rows of events and forgets those of sessions',
    without: ['clickhouse/events', 'clickhouse/aggregates'],
    instead: (who) => command(`ALTER TABLE events_raw DELETE WHERE subject IN (${tokenList(who)})`),
    store: 'clickhouse/events',
    ownDay: true,
  },
  {
    name: 'does not count the aggregates again',
    without: ['clickhouse/aggregates'],
    instead: (who) => world.receipt(who, 'clickhouse/aggregates'),
    clean: () => world.rederive(),
    store: 'clickhouse/aggregates',
    ownDay: true,
  },
  {
    name: 'says "done" of the archive and does nothing',
    without: ['s3/archive'],
    instead: (who) => world.receipt(who, 's3/archive'),
    store: 's3/archive',
  },
  {
    name: 'keeps a file that the person asked for',
    without: ['s3/exports'],
    instead: (who) => world.receipt(who, 's3/exports'),
    store: 's3/exports',
  },
  {
    name: 'says "done" of the vault and does nothing',
    without: ['postgres/vault'],
    instead: (who) => world.receipt(who, 'postgres/vault'),
    store: 'postgres/vault',
  },
  {
    name: 'brings a profile back after its work',
    instead: (who) =>
      world.postgres.query(
        'lie_profile',
        `INSERT INTO users_public (subject_id, app, traits) VALUES ($1, 'shop', '{}')`,
        [who.subjectIds[2]],
      ),
    store: 'postgres/vault',
  },
  {
    name: 'keeps a link, by which two of the ids can be joined',
    instead: (who) =>
      world.postgres.query(
        'lie_link',
        `INSERT INTO subject_links (app, from_subject, to_subject, kind, asserted) VALUES ('shop', $1, $2, 'alias', false)`,
        who.subjectIds.slice(0, 2),
      ),
    store: 'postgres/vault',
  },
  {
    name: 'gives a token back, so that a replay would store it again',
    instead: (who) => world.edge.deps.revocations.withdrawAll([who.tokens[1]!]),
    store: 'kafka/events',
  },
]

/** Somebody with another user id, whose profile carries the person's address. */
async function addCarrier({ identifiers }: ErasedPerson): Promise<void> {
  const [hash] = contactsOf(await world.edge.keyring.appLookupKey('shop'), identifiers)
  const subjectId = randomUUID()
  await world.edge.keyring.createSecrets([subjectId])
  await world.postgres.query(
    'add_carrier',
    `WITH born AS (INSERT INTO subjects (handle, app, subject_id) VALUES ($1, 'shop', $2))
     INSERT INTO contacts (subject_id, field, contact_hash) VALUES ($2, 'email', $3)`,
    [randomBytes(32), subjectId, hash],
  )
}

/** The file of the archive that is hidden, as it was before the erasure. */
let kept: Buffer

/** Found by what could be anyone's: told one after the other, when nothing else is there to be found. */
const LIES_ABOUT_ALL: Lie[] = [
  {
    name: 'detaches parts instead of rewriting them',
    without: ['clickhouse/events', 'clickhouse/aggregates'],
    instead: () => command(`ALTER TABLE events_raw DETACH PARTITION 202609`),
    clean: () => command('ALTER TABLE events_raw ATTACH PARTITION 202609'),
    store: 'clickhouse/events',
  },
  {
    name: 'keeps old versions of a file that it rewrote',
    without: ['s3/archive'],
    async instead(who) {
      for (const token of who.tokens) {
        const file = archiveFiles(world.collection, archiveKey(who.day, archiveBucket(token)))
        await world.clickhouse.command({
          query: `INSERT INTO FUNCTION ${file} SELECT * FROM ${file} WHERE subject NOT IN (${tokenList(who)})`,
          clickhouse_settings: { s3_truncate_on_insert: 1, use_hive_partitioning: 0 } as never,
        })
      }
      await world.receipt(who, 's3/archive')
    },
    clean: (who) => purgePrefix(world.s3, 'archive', `day=${who.day}/`),
    store: 's3/archive',
    ownDay: true,
  },
  {
    name: 'moves a file of the archive to a name that nobody reads',
    async before(who) {
      kept = (await getObject(world.s3, 'archive', fileOf(who)))!
    },
    instead: () => putObject(world.s3, 'archive', 'old/events.parquet', kept),
    clean: () => purgePrefix(world.s3, 'archive', 'old/'),
    store: 's3/archive',
  },
  {
    name: "moves a file that the person asked for to a name that is nobody's",
    instead: () => putObject(world.s3, 'exports', 'old/all.json', '{}'),
    clean: () => purgePrefix(world.s3, 'exports', 'old/'),
    store: 's3/exports',
  },
  {
    name: 'hides a file of the archive behind a delete marker',
    without: ['s3/archive'],
    async instead(who) {
      const Bucket = world.s3.nameOf('archive')
      for (const token of who.tokens) {
        const Key = archiveKey(who.day, archiveBucket(token))
        await world.s3.call((client) => client.send(new DeleteObjectCommand({ Bucket, Key })))
      }
      await world.receipt(who, 's3/archive')
    },
    clean: (who) => purgePrefix(world.s3, 'archive', `day=${who.day}/`),
    store: 's3/archive',
    ownDay: true,
  },
]

describe('an eraser that lies is found out by the verifier itself, and gets no certificate:', () => {
  /** Erased honestly in the same batch: what is found of the others is about them, and not about everyone. */
  let honest: ErasedPerson
  let others: ErasedPerson[]
  const told = new Map<Lie, ErasedPerson>()
  const seen = new Map<Lie, Survivors>()
  const refusals = new Map<Lie, unknown>()
  const storesOf = ({ found }: Survivors) => found.map(({ store }) => store)

  async function absenceOf(people: readonly ErasedPerson[]): Promise<Survivors[]> {
    const verifier = world.verify(1_000)
    return await Promise.all(people.map((who) => verifier.verifyAbsence(about(who))))
  }

  /** Looks until what goes by itself is gone, which the honest one's verdict tells. */
  async function lookOnceQuiet(people: readonly ErasedPerson[]): Promise<Survivors[]> {
    for (const giveUpAt = Date.now() + 120_000; ; ) {
      const [first, ...verdicts] = await absenceOf([honest, ...people])
      if (first!.found.length === 0) return verdicts
      if (Date.now() > giveUpAt) expect(first).toEqual({ found: [] })
    }
  }

  const refusalOf = (who: ErasedPerson) =>
    world
      .verify(1_000)
      .certify({ ...about(who), kind: 'certificate' })
      .catch((error) => error)

  beforeAll(async () => {
    const lies = [...LIES_ABOUT_ONE, ...LIES_ABOUT_ALL]
    const [alone, together] = [lies.filter((lie) => lie.ownDay), lies.filter((lie) => !lie.ownDay)]
    for (const [at, who] of (await world.people(alone.length, 'own days')).entries())
      told.set(alone[at]!, who)
    const shared = await world.people(together.length + 4, 'one day')
    for (const [at, lie] of together.entries()) told.set(lie, shared[at]!)
    ;[honest, ...others] = shared.slice(together.length) as [ErasedPerson, ...ErasedPerson[]]
    for (const [lie, who] of told) await lie.before?.(who)

    const wishes = [...told].map(([lie, who]) => ({ who, without: lie.without ?? [], lie }))
    const uncounted = wishes.filter(({ lie }) => lie.store === 'clickhouse/aggregates')
    const honestly = [honest, ...others].map((who) => ({ who }))
    await world.eraseAll([...wishes.filter((wish) => !uncounted.includes(wish)), ...honestly])
    // A recount is of all days that wait for one: whoever is not counted again is erased after the last.
    await world.eraseAll(uncounted)

    const tellers = LIES_ABOUT_ONE.map((lie) => told.get(lie)!)
    for (const lie of LIES_ABOUT_ONE) await lie.instead?.(told.get(lie)!)
    for (const { who, without } of wishes) for (const each of without) await world.receipt(who, each)
    for (const [at, verdict] of (await lookOnceQuiet(tellers)).entries())
      seen.set(LIES_ABOUT_ONE[at]!, verdict)
    await world.destroyKeys({ subjectIds: [...told.values()].flatMap(({ subjectIds }) => subjectIds) })
    const refused = await Promise.all(tellers.map(refusalOf))
    for (const [at, refusal] of refused.entries()) refusals.set(LIES_ABOUT_ONE[at]!, refusal)
    for (const lie of LIES_ABOUT_ONE) await lie.clean?.(told.get(lie)!)
  }, 300_000)

  test.each(LIES_ABOUT_ONE)('$name', (lie) => {
    expect(storesOf(seen.get(lie)!)).toContain(lie.store)
    expect(refusals.get(lie)).toMatchObject({ code: 'survivors_found' })
  })

  test.each(LIES_ABOUT_ALL)(
    '$name',
    async (lie) => {
      const who = told.get(lie)!
      await lookOnceQuiet([])
      await lie.instead?.(who)
      try {
        const [verdict] = await absenceOf([who])
        expect(storesOf(verdict!)).toContain(lie.store)
        expect(await refusalOf(who)).toMatchObject({ code: 'survivors_found' })
      } finally {
        await lie.clean?.(who)
      }
    },
    300_000,
  )

  test('destroys no key', async () => {
    const who = others[0]!
    await world.receipt(who, 'keyring', { method: 'key-destroyed' })
    expect(await world.verify().verifyAbsence(about(who))).toEqual({ found: [] })
    const verifier = world.verify(1_000)
    expect((await verifier.verifyKeysGone(about(who))).found).toMatchObject([{ store: 'keyring' }])
    await expect(verifier.certify({ ...about(who), kind: 'certificate' })).rejects.toMatchObject({
      code: 'survivors_found',
    })
  }, 300_000)

  test('deletes the rows of the secrets, and keeps the key that opens their copies', async () => {
    const who = others[0]!
    const verifier = world.verify(1_000)
    await verifier.verifyAbsence(about(who))
    await world.keyringPostgres.query(
      'lie_secrets',
      'DELETE FROM subject_secrets WHERE subject_id = ANY($1::uuid[])',
      [who.subjectIds],
    )
    expect((await verifier.verifyKeysGone(about(who))).found).toMatchObject([{ store: 'keyring' }])
  }, 300_000)

  test('keeps names in a table of Postgres that the verifier may not read', async () => {
    const who = others[1]!
    await world.destroyKeys(who)
    await world.postgres.query('hide_table', 'CREATE TABLE hidden (subject_id uuid)', [])
    await world.postgres.query('hide', 'REVOKE ALL ON hidden FROM ebb_verifier', [])
    await world.postgres.query('hide_name', 'INSERT INTO hidden VALUES ($1)', [who.subjectIds[0]])
    try {
      // Refused, or found where the verifier has the rights of everyone.
      const certified = world.verify(1_000).certify({ ...about(who), kind: 'certificate' })
      await expect(certified).rejects.toMatchObject({
        code: expect.stringMatching(/^(postgres_refused|survivors_found)$/),
      })
    } finally {
      await world.postgres.query('drop_hidden', 'DROP TABLE hidden', [])
    }
  }, 300_000)

  test('brings rows back between the look and the certificate', async () => {
    const who = others[2]!
    await world.destroyKeys(who)
    const verifier = world.verify()
    expect(await verifier.verifyAbsence(about(who))).toEqual({ found: [] })
    const back = row({
      app: 'shop',
      ts: Date.parse(`${who.day}T11:00:00Z`),
      subject: new Uint8Array(who.tokens[0]!),
    })
    await insertRows(world.clickhouse, [back], `test/back/${who.requestId}`)
    await expect(verifier.certify({ ...about(who), kind: 'certificate' })).rejects.toMatchObject({
      code: 'survivors_found',
    })
  }, 300_000)

  test('and the one who was erased honestly beside all of them gets a certificate', async () => {
    await world.destroyKeys(honest)
    await world.verify().certify({ ...about(honest), kind: 'certificate' })
  }, 300_000)
})

describe('evidence that cannot be true gets no certificate:', () => {
  let who: ErasedPerson
  beforeAll(async () => {
    who = forged
    await world.destroyKeys(who)
  }, 300_000)

  const refused = () =>
    expect(world.verify().certify({ ...about(who), kind: 'certificate' })).rejects.toMatchObject({
      code: 'evidence_missing',
    })
  const forge = (change: string, values: unknown[] = []) =>
    world.postgres.query(
      `forge ${change}`,
      `UPDATE erasure_receipts SET ${change} WHERE request_id = $1 AND store = 's3/archive'`,
      [who.requestId, ...values],
    )
  const mend = () => world.receipt(who, 's3/archive')

  test('a receipt from tomorrow', async () => {
    await forge(`at = now() + interval '1 day'`)
    await refused()
  })
  test('a receipt from before the request', async () => {
    await mend()
    await forge(`at = now() - interval '1 day'`)
    await refused()
  })
  test('a hash that is none', async () => {
    await mend()
    await forge(`evidence = 'erased, trust me'`)
    await refused()
  })
  test('an outcome that nobody knows', async () => {
    await mend()
    await forge(`outcome = 'retained'`)
    await refused()
  })
  test('a receipt that would carry a token into the certificate', async () => {
    await mend()
    await forge('ids = $2', [[`object of ${hex(who.tokens[0]!)}`]])
    await refused()
  })
  test('no receipt of a store of the data map', async () => {
    await world.postgres.query(
      'drop_receipt',
      `DELETE FROM erasure_receipts WHERE request_id = $1 AND store = 's3/archive'`,
      [who.requestId],
    )
    await refused()
  })
  test('identifiers that are not those the request came with', async () => {
    await mend()
    const sealed = await readSealed(world.edge.deps, who.requestId)
    const identifiers = [{ label: 'email' as const, value: 'someone.else@example.com' }]
    await writeSealed(world.edge.deps, who.requestId, { ...sealed, identifiers })
    await refused()
    await writeSealed(world.edge.deps, who.requestId, sealed)
  })
  test('and the same request is certified once all of it is true', async () => {
    await mend()
    await world.verify().certify({ ...about(who), kind: 'certificate' })
  })
})
