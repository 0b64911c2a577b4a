import { randomUUID } from 'node:crypto'
import { archiveDay } from '../activities/archive-day.ts'
import { createArchiveEraser } from '../activities/erase-archive.ts'
import { createClickHouseEraser, hashEvidence } from '../activities/erase-clickhouse.ts'
import { createExportsEraser } from '../activities/erase-exports.ts'
import { createVaultEraser } from '../activities/erase-vault.ts'
import type { StoreEraser } from '../activities/store-eraser.ts'
import { createWithdrawStates } from '../activities/withdraw-states.ts'
import { type ClickHouseClient, createClickHouse } from '../clickhouse/client.ts'
import { rederiveAggregates } from '../clickhouse/rederive-aggregates.ts'
import { s3Collection } from '../clickhouse/s3-collections.ts'
import { createApp } from '../postgres/apps.ts'
import { createPostgres, type TransactingPostgres } from '../postgres/client.ts'
import { destroySecrets } from '../postgres/destroy-secrets.ts'
import { writeReceipts } from '../postgres/erasure-queue.ts'
import { readTargets } from '../postgres/erasure-targets.ts'
import type { KeyProvider } from '../postgres/key-provider.ts'
import { openKeyProvider } from '../postgres/open-key-provider.ts'
import { handlesOf } from '../postgres/privacy-requests.ts'
import { createSubjectResolver } from '../postgres/resolve-subjects.ts'
import { createLinkWriter } from '../postgres/subject-links.ts'
import { inLanes } from '../runtime/in-lanes.ts'
import { createLogger } from '../runtime/logger.ts'
import { createS3, type S3 } from '../s3/client.ts'
import { exportPrefix } from '../s3/exports.ts'
import { putObject } from '../s3/put-object.ts'
import type { PersonIdentifier, StoreReceipt, VerifierActivities } from '../schemas/erasure.ts'
import { createVerifierActivities } from '../workers/verifier/create-verifier-activities.ts'
import { readOpenRequest } from '../workers/verifier/observation.ts'
import { type OpenVerifier, openVerifier } from '../workers/verifier/start-verifier.ts'
import { createEdgeErasure, type EdgeErasure } from './edge-erasure.ts'
import { insertRows, row } from './int/clickhouse-rows.ts'
import type { Stage } from './stage.ts'

const APP = 'shop'

/** Somebody with data in every store, who is to be erased. */
export interface ErasedPerson {
  requestId: string
  identifiers: PersonIdentifier[]
  /** Of the account, of the device, and of a second account that only a link leads to. */
  tokens: Buffer[]
  subjectIds: string[]
  /** All of their rows fell on it. */
  day: string
}

const LANES = 16

/** Somebody's part in one batch of erasures. */
export interface ErasureWish {
  who: ErasedPerson
  /** Stores that are left to the caller. */
  without?: readonly string[]
}

/** The parts of an erasure that a test can do right, or spoil, one by one; all on the real engines. */
export interface ErasureWorld {
  clickhouse: ClickHouseClient
  postgres: TransactingPostgres
  keyringPostgres: TransactingPostgres
  s3: S3
  edge: EdgeErasure
  provider: KeyProvider
  collection: string
  verifier: OpenVerifier
  /** Somebody new on a day of their own, whose request is logged and blocked, and whose closure is observed. */
  person(): Promise<ErasedPerson>
  /** Several people, set up at once: each on a day of their own, or all on one. */
  people(count: number, days: 'own days' | 'one day'): Promise<ErasedPerson[]>
  erasers: Record<string, StoreEraser>
  /** Runs erasers honestly and stores their receipts; stores that are named are left to the caller. */
  erase(person: ErasedPerson, without?: readonly string[]): Promise<void>
  /** The same for a batch. */
  eraseAll(wishes: readonly ErasureWish[]): Promise<void>
  rederive(): Promise<void>
  receipt(person: ErasedPerson, store: string, more?: Partial<StoreReceipt>): Promise<void>
  destroyKeys(person: Pick<ErasedPerson, 'subjectIds'>): Promise<void>
  /** States and revocations are withdrawn, as before the second certificate. */
  withdraw(person: ErasedPerson): Promise<void>
  /** Has the verifier look who is meant. @returns how many subjects it has seen to be theirs */
  observe(person: Pick<ErasedPerson, 'requestId'>): Promise<number>
  /** The verifier's activities, with a bound to its waits. */
  verify(patienceMs?: number): VerifierActivities
  close(): Promise<void>
}

export async function createErasureWorld(stage: Stage): Promise<ErasureWorld> {
  const { config } = stage
  const clickhouse = createClickHouse(config, { requestTimeoutMs: 60_000 })
  const postgres = createPostgres(config.postgres.url, { timeoutMs: 60_000 })
  const keyringPostgres = createPostgres(config.postgres.keyringUrl)
  const s3 = createS3(config)
  const provider = await openKeyProvider(config)
  const edge = await createEdgeErasure(stage)
  const collection = s3Collection(config, 'archive')
  const verifier = await openVerifier(config, createLogger('test', 'silent'), (error) => {
    throw error
  })
  // No ingest runs here: each partition has committed all that was revoked so far.
  const head = async () => {
    const rev = await verifier.deps.revocations.readToHead(AbortSignal.timeout(10_000))
    return [{ partition: 0, low: 0, high: 0, committed: 0, metadata: { end: 0, rev } as never }]
  }
  verifier.deps.readIngestProgress = head
  const archive = { clickhouse, s3, postgres, postgresUrl: config.postgres.url, collection }
  const erasers: Record<string, StoreEraser> = Object.fromEntries(
    [
      createClickHouseEraser({ clickhouse }),
      createVaultEraser({
        postgres,
        largestRewriteBytes: stage.config.privacy.largestRewriteBytes,
        now: Date.now,
      }),
      createArchiveEraser({ ...archive, now: Date.now }),
      createExportsEraser({ s3, now: Date.now }),
    ].map((eraser) => [eraser.store, eraser]),
  )
  const withIngestHeld = <T>(work: (leftMs: () => number) => Promise<T>) =>
    work(() => Number.POSITIVE_INFINITY)
  await createApp(postgres, { app: APP })
  let days = 0
  let inserts = 0

  const resolver = createSubjectResolver({ postgres, keyring: edge.keyring })
  const links = createLinkWriter({ postgres, keyring: edge.keyring })

  type Unasked = Omit<ErasedPerson, 'requestId'>

  /** Keys, links and sealed fields of somebody who has no rows yet. */
  async function known(day: string): Promise<Unasked> {
    const name = randomUUID()
    const identifiers: PersonIdentifier[] = [
      { label: 'email', value: `${name}@example.com` },
      { label: 'userId', value: `u-${name}` },
    ]
    const lookup = await edge.keyring.appLookupKey(APP)
    const handleOf = (one: PersonIdentifier) => handlesOf(lookup, [one])[0]!
    const handles = [
      handleOf(identifiers[1]!),
      handleOf({ label: 'anonymousId', value: `a-${name}` }),
      handleOf({ label: 'userId', value: `second-${name}` }),
    ]
    const keys = await resolver.resolve(handles, APP)
    await links.write(
      [
        { kind: 'identify', from: handles[1]!, to: handles[0]! },
        { kind: 'alias', from: handles[0]!, to: handles[2]! },
      ],
      APP,
    )
    const tokens = keys.map((one) => Buffer.from(one.token))
    await putObject(s3, 'exports', `${exportPrefix(tokens[0]!)}all.json`, '{}')
    const subjects = await postgres.query<{ subject_id: string }>(
      'subjects_of',
      'SELECT subject_id FROM subjects WHERE handle = ANY($1::bytea[])',
      [handles],
    )
    const subjectIds = subjects.map((one) => one.subject_id)
    await postgres.query(
      'plant_pii',
      `INSERT INTO users_pii (subject_id, field, sealed) SELECT unnest($1::uuid[]), 'email', '\\x00'`,
      [subjectIds],
    )
    return { identifiers, tokens, subjectIds, day }
  }

  /** Rows of theirs, and of a bystander on each of the days. */
  async function giveRows(people: readonly Unasked[]): Promise<void> {
    const eachOfDay = new Map<string, Buffer[]>()
    for (const { day, tokens } of people) {
      const bystander = Buffer.alloc(16, Number(day.slice(8)))
      eachOfDay.set(day, [...(eachOfDay.get(day) ?? [bystander]), ...tokens])
    }
    const rows = [...eachOfDay].flatMap(([day, subjects]) =>
      subjects.flatMap((subject, who) =>
        Array.from({ length: 5 }, (_, at) =>
          row({
            app: APP,
            ts: Date.parse(`${day}T10:00:00Z`) + at * 1_000,
            subject: new Uint8Array(subject),
            session: BigInt(Number(day.slice(8)) * 1_000 + who),
          }),
        ),
      ),
    )
    inserts += 1
    await insertRows(clickhouse, rows, `test/${inserts}/1`)
    for (const day of eachOfDay.keys()) await archiveDay(archive, day)
  }

  async function people(count: number, where: 'own days' | 'one day'): Promise<ErasedPerson[]> {
    const nextDay = () => new Date(Date.UTC(2026, 8, ++days)).toISOString().slice(0, 10)
    const shared = where === 'one day' ? nextDay() : undefined
    const unasked = await inLanes(
      Array.from({ length: count }, () => shared ?? nextDay()),
      LANES,
      known,
    )
    await giveRows(unasked)
    const activities = verify()
    return await inLanes(unasked, LANES, async (one) => {
      const requestId = await edge.block(APP, one.identifiers)
      await activities.logReceived({ requestId })
      await activities.observeClosure({ requestId })
      return { ...one, requestId }
    })
  }

  async function eraseAll(wishes: readonly ErasureWish[]): Promise<void> {
    const batchId = randomUUID()
    const targets = await readTargets(
      edge.deps,
      wishes.map(({ who }) => who.requestId),
    )
    const having = (store: string) => wishes.filter(({ without = [] }) => !without.includes(store))
    await Promise.all(
      Object.values(erasers).map(async (eraser) => {
        const requestIds = having(eraser.store).map(({ who }) => who.requestId)
        if (requestIds.length === 0) return
        const own = targets.filter(({ requestId }) => requestIds.includes(requestId))
        await writeReceipts(postgres, { batchId, requestIds }, await eraser.erase({ batchId, targets: own }))
      }),
    )
    const recounted = having('clickhouse/aggregates')
    if (recounted.length === 0) return
    await rederiveAggregates({ clickhouse, withIngestHeld })
    for (const { who } of recounted) await receipt(who, 'clickhouse/aggregates', { method: 'rewritten' })
  }

  async function receipt({ requestId }: ErasedPerson, store: string, more: Partial<StoreReceipt> = {}) {
    await writeReceipts(
      postgres,
      { batchId: randomUUID(), requestIds: [requestId] },
      {
        store,
        outcome: 'erased',
        method: 'deleted',
        atMs: Date.now(),
        ids: [],
        evidenceHash: hashEvidence({ store }),
        ...more,
      },
    )
  }

  const withdraw = createWithdrawStates({ ...edge.deps, keyring: edge.keyring })
  const verify = (patienceMs = 30_000) => createVerifierActivities({ ...verifier.deps, patienceMs })

  return {
    clickhouse,
    postgres,
    keyringPostgres,
    s3,
    edge,
    provider,
    collection,
    verifier,
    erasers,
    people,
    async person() {
      const [one] = await people(1, 'own days')
      return one!
    },
    verify,
    async observe({ requestId }) {
      await verify().observeClosure({ requestId })
      const { observed } = await readOpenRequest(verifier.deps, requestId)
      return observed!.subjects.length + observed!.keyless.length
    },
    receipt,
    erase: (who, without) => eraseAll([{ who, without }]),
    eraseAll,
    async rederive() {
      await rederiveAggregates({ clickhouse, withIngestHeld })
    },
    async destroyKeys({ subjectIds }) {
      await destroySecrets({ keyringUrl: config.postgres.keyringUrl, provider }, subjectIds)
    },
    withdraw: ({ requestId }) => withdraw({ requestId }),
    async close() {
      await verifier.close()
      await edge.close()
      await Promise.all([clickhouse.close(), postgres.close(), keyringPostgres.close()])
      s3.close()
    },
  }
}
