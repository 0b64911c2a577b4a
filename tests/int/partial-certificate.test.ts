import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseTrustedKeys } from '../../certificates/trusted-keys.ts'
import { verifyCertificate } from '../../certificates/verify-certificate.ts'
import { proveCertificate } from '../../cli/prove-certificate.ts'
import { runVerify } from '../../cli/verify.ts'
import { endHold } from '../../postgres/legal-holds.ts'
import { readSealed, writeSealed } from '../../postgres/privacy-requests.ts'
import { listCertificates } from '../../postgres/read-certificates.ts'
import { createS3 } from '../../s3/client.ts'
import { getObject } from '../../s3/get-object.ts'
import { certificateKey, proofKey } from '../../workers/verifier/log-files.ts'
import { storesWith } from '../../workers/verifier/logged-statements.ts'
import { formatKeyFile, openSigningKeys } from '../../workers/verifier/signing-keys.ts'
import { hashDataMap } from '../../workers/verifier/statements.ts'
import { holdEmail, kindsOf, noteAway, plantSurvivor, readLogged } from '../certified-person.ts'
import { type ClickHouseProxy, startClickHouseProxy } from '../clickhouse-proxy.ts'
import { createErasureWorld, type ErasedPerson, type ErasureWorld } from '../erased-person.ts'
import { type S3Proxy, startS3Proxy } from '../s3-proxy.ts'
import { createStage, type Stage } from '../stage.ts'

// The verifier alone goes through these: what it cannot reach is its own finding.
let clickhouse: ClickHouseProxy
let storage: S3Proxy
let stage: Stage
let world: ErasureWorld
let archive: string
let folder: string

beforeAll(async () => {
  stage = await createStage()
  const { verifier } = stage.config
  clickhouse = await startClickHouseProxy(verifier.clickhouseUrl)
  const through = new URL(verifier.clickhouseUrl)
  through.port = new URL(clickhouse.url).port
  verifier.clickhouseUrl = through.href
  storage = await startS3Proxy(stage.config.s3.endpoint)
  world = await createErasureWorld(stage)
  const { deps } = world.verifier
  deps.s3 = createS3({ s3: { ...stage.config.verifier.s3, endpoint: storage.endpoint } })
  archive = deps.s3.nameOf('archive')
  folder = await mkdtemp(join(tmpdir(), 'ebb-partial-'))
}, 300_000)
afterAll(async () => {
  world?.verifier.deps.s3.close()
  await world?.close()
  await stage?.close()
  await Promise.all([clickhouse?.close(), storage?.close()])
  await rm(folder, { recursive: true, force: true })
})
beforeEach(() => {
  clickhouse.up()
  storage.silence([])
})

const LIMIT_MS = 300_000
const OF_CLICKHOUSE = ['clickhouse/events', 'clickhouse/aggregates', 's3/archive']
const about = ({ requestId }: ErasedPerson) => ({ requestId })
const verifier = () => world.verify(2_000)
const kinds = (who: ErasedPerson) => kindsOf(world, who)
const partial = (who: ErasedPerson) => verifier().certifyPartial(about(who))
/** Somebody whose erasure has come as far as it can while ClickHouse is away. */
async function withoutClickHouse(): Promise<ErasedPerson> {
  const who = await world.person()
  await world.erase(who, OF_CLICKHOUSE)
  await noteAway(world, who, ['clickhouse/events', 's3/archive'])
  clickhouse.down()
  return who
}

async function read(digest: string) {
  const { bytes, certificate } = await readLogged(world, digest)
  if (certificate.kind !== 'partial') throw new Error(`it is ${certificate.kind}`)
  return { bytes, certificate }
}

async function keyFile(): Promise<string> {
  const keys = await openSigningKeys(stage.config.verifier.folder, stage.config.log.origin)
  return formatKeyFile(keys, [])
}

describe('a partial certificate', () => {
  test(
    'says what is erased, what was not reached since when, and what waits; the whole follows and withdraws it',
    async () => {
      const who = await withoutClickHouse()
      const made = await partial(who)
      expect([...made.unreachable].sort()).toEqual([...OF_CLICKHOUSE].sort())
      const { bytes, certificate } = await read(made.digest)
      const outcomes = Object.fromEntries(certificate.receipts.map((one) => [one.store, one.outcome]))
      expect(outcomes).toEqual({
        'clickhouse/events': 'unreachable',
        'clickhouse/aggregates': 'unreachable',
        's3/archive': 'unreachable',
        's3/exports': 'erased',
        'postgres/vault': 'erased',
        keyring: 'waiting',
      })
      for (const one of certificate.receipts) {
        if (one.outcome !== 'unreachable') continue
        expect(Date.parse(one.since)).toBeLessThanOrEqual(Date.parse(certificate.issuedAt))
      }
      // While ClickHouse holds the person, backups of it will.
      expect(certificate.horizons).toEqual([])
      const keys = parseTrustedKeys(await keyFile())
      const { salt } = await readSealed(world.edge.deps, who.requestId)
      const verdict = verifyCertificate({
        certificate: bytes,
        proof: (await getObject(world.s3, 'log', proofKey(made.digest)))!,
        keys,
        subject: { salt: Buffer.from(salt, 'hex'), label: 'email', value: who.identifiers[0]!.value },
        dataMap: hashDataMap(),
      })
      expect(verdict).toMatchObject({ ok: true })

      // Asked again while the same stores are away: the same one, and no new leaf.
      expect(await partial(who)).toEqual(made)
      expect(await kinds(who)).toEqual(['received', 'partial'])

      clickhouse.up()
      await expect(partial(who)).rejects.toMatchObject({ code: 'store_answers' })
      await world.erase(who)
      await world.destroyKeys(who)
      await expect(verifier().certify({ ...about(who), kind: 'closed' })).rejects.toMatchObject({
        code: 'not_certified',
      })
      const whole = await verifier().certify({ ...about(who), kind: 'certificate' })
      expect(await kinds(who)).toEqual(['received', 'partial, withdrawn', 'supersession', 'certificate'])
      expect(whole.logIndex).toBeGreaterThan(made.logIndex + 1)
      await expect(partial(who)).rejects.toMatchObject({ code: 'store_answers' })

      expect(await verifyAnew(made.digest)).toEqual({
        status: 1,
        verdict: expect.stringContaining('superseded'),
      })
      expect(await verifyAnew(whole.digest)).toEqual({
        status: 0,
        verdict: expect.stringContaining('VALID  certificate'),
      })
    },
    LIMIT_MS,
  )

  test(
    'of one store that is silent says that the others, ClickHouse among them, hold nothing; of another set takes its place',
    async () => {
      const who = await withoutClickHouse()
      const first = await partial(who)
      clickhouse.up()
      await world.erase(who, ['s3/archive'])
      storage.silence([archive])
      const second = await partial(who)
      expect(second.unreachable).toEqual(['s3/archive'])
      expect(second.digest).not.toBe(first.digest)
      const { certificate } = await read(second.digest)
      const [away] = certificate.receipts.filter(({ outcome }) => outcome === 'unreachable')
      // Since the erasers gave it up first, not since this look.
      expect(away).toMatchObject({ store: 's3/archive' })
      const { certificate: before } = await read(first.digest)
      expect(before.receipts).toContainEqual(away)
      expect(await kinds(who)).toEqual(['received', 'partial, withdrawn', 'supersession', 'partial'])
    },
    LIMIT_MS,
  )

  test(
    'that names a released hold is not given again, though the same stores are away',
    async () => {
      const who = await withoutClickHouse()
      const released = await holdEmail(world, who, Date.now() + 86_400_000)
      const standing = await holdEmail(world, who, Date.now() + 86_400_000)
      const first = await partial(who)
      expect(await partial(who)).toEqual(first)

      await endHold(world.postgres, released)
      const second = await partial(who)
      expect(second.digest).not.toBe(first.digest)
      const { certificate } = await read(second.digest)
      expect(storesWith('retained', certificate)).toEqual([`postgres/legal_holds/${standing}`])
      expect(await kinds(who)).toEqual(['received', 'partial, withdrawn', 'supersession', 'partial'])
      const [, , withdrawal] = await listCertificates(world.postgres, who.requestId)
      expect((await readLogged(world, withdrawal!.digest)).certificate).toMatchObject({
        supersedes: first.digest,
        reason: 'hold-released',
      })
    },
    LIMIT_MS,
  )

  test(
    'is withdrawn at once when something is found in a store that it calls erased, and not for one that it does not',
    async () => {
      const who = await withoutClickHouse()
      const first = await partial(who)
      // ClickHouse holds the person still, as the certificate says.
      clickhouse.up()
      storage.silence([archive])
      await expect(partial(who)).rejects.toMatchObject({ code: 'store_answers' })
      expect(await kinds(who)).toEqual(['received', 'partial'])

      storage.silence([])
      clickhouse.down()
      await plantSurvivor(world, who)
      await expect(partial(who)).rejects.toMatchObject({ code: 'survivors_found' })
      await expect(partial(who)).rejects.toMatchObject({ code: 'survivors_found' })
      expect(await kinds(who)).toEqual(['received', 'partial, withdrawn', 'supersession'])
      const [, , withdrawal] = await listCertificates(world.postgres, who.requestId)
      expect((await readLogged(world, withdrawal!.digest)).certificate).toMatchObject({
        supersedes: first.digest,
        reason: 'survivor-found',
      })
      expect(await verifyAnew(first.digest)).toEqual({
        status: 1,
        verdict: expect.stringContaining('superseded'),
      })

      await world.erase(who, OF_CLICKHOUSE)
      expect((await partial(who)).digest).not.toBe(first.digest)
      expect(await kinds(who)).toEqual(['received', 'partial, withdrawn', 'supersession', 'partial'])
    },
    LIMIT_MS,
  )
})

/** `ebb log prove`, then `ebb verify` with what it wrote. */
async function verifyAnew(digest: string): Promise<{ status: number; verdict: string }> {
  const file = join(folder, `${digest}.json`)
  await writeFile(file, (await getObject(world.s3, 'log', certificateKey(digest)))!)
  const keys = join(folder, 'keys.pub')
  await writeFile(keys, await keyFile())
  const { leaves } = await proveCertificate(world.s3, await keyFile(), file)
  const lines: string[] = []
  const status = await runVerify(file, { key: [keys], witnessKey: [], leaves }, (line) => lines.push(line))
  return { status, verdict: lines.join('\n') }
}

describe('no partial certificate, and no leaf, for', () => {
  const refused = async (who: ErasedPerson, code: string) => {
    await expect(partial(who)).rejects.toMatchObject({ code })
    expect(await kinds(who)).toEqual(['received'])
  }

  test(
    'a store that is said to be away and answers the verifier',
    async () => {
      const who = await world.person()
      await world.erase(who, ['s3/archive'])
      await noteAway(world, who, ['s3/archive'])
      await refused(who, 'store_answers')
      // Nor beside one that is really away.
      const other = await withoutClickHouse()
      await noteAway(world, other, ['s3/exports'])
      await refused(other, 'store_answers')
    },
    LIMIT_MS,
  )

  test(
    'an erasure that left something in a store that answers',
    async () => {
      const who = await withoutClickHouse()
      await plantSurvivor(world, who)
      await refused(who, 'survivors_found')
    },
    LIMIT_MS,
  )

  test(
    'receipts that are missing, and times that cannot be',
    async () => {
      const who = await withoutClickHouse()
      const change = (text: string) =>
        world.postgres.query(`change ${text}`, `${text} AND request_id = $1`, [who.requestId])
      await change(`UPDATE erasure_receipts SET at = at - interval '1 day' WHERE store = 'clickhouse/events'`)
      await refused(who, 'evidence_missing')
      await change(
        `UPDATE erasure_receipts SET at = at + interval '2 days' WHERE store = 'clickhouse/events'`,
      )
      await refused(who, 'evidence_missing')
      await change(`UPDATE erasure_receipts SET at = now() WHERE store = 'clickhouse/events'`)
      await change(`DELETE FROM erasure_receipts WHERE store = 'postgres/vault'`)
      await refused(who, 'evidence_missing')
    },
    LIMIT_MS,
  )

  test(
    'a hold that is over, beside one that stands',
    async () => {
      const who = await withoutClickHouse()
      await holdEmail(world, who, Date.now() + 86_400_000)
      const over = await holdEmail(world, who, Date.now())
      await refused(who, 'hold_over')
      await endHold(world.postgres, over)
      const { certificate } = await read((await partial(who)).digest)
      const retained = certificate.receipts.filter(({ outcome }) => outcome === 'retained')
      expect(retained).toHaveLength(1)
    },
    LIMIT_MS,
  )

  test(
    'identifiers that are not those whose proof was taken in',
    async () => {
      const who = await withoutClickHouse()
      const sealed = await readSealed(world.edge.deps, who.requestId)
      const identifiers = [{ label: 'email' as const, value: 'someone.else@example.com' }]
      await writeSealed(world.edge.deps, who.requestId, { ...sealed, identifiers })
      await refused(who, 'evidence_missing')
    },
    LIMIT_MS,
  )
})
