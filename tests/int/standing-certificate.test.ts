import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { endHold } from '../../postgres/legal-holds.ts'
import { listCertificates } from '../../postgres/read-certificates.ts'
import { createS3 } from '../../s3/client.ts'
import { createVerifierActivities } from '../../workers/verifier/create-verifier-activities.ts'
import { storesWith } from '../../workers/verifier/logged-statements.ts'
import {
  holdEmail,
  kindsOf,
  noteAway,
  plantSurvivor,
  readLogged,
  removeSurvivor,
} from '../certified-person.ts'
import { createErasureWorld, type ErasedPerson, type ErasureWorld } from '../erased-person.ts'
import { type S3Proxy, startS3Proxy } from '../s3-proxy.ts'
import { createStage, type Stage } from '../stage.ts'

// The verifier alone goes through it: what it cannot reach is its own finding.
let storage: S3Proxy
let stage: Stage
let world: ErasureWorld
let archive: string

beforeAll(async () => {
  stage = await createStage()
  storage = await startS3Proxy(stage.config.s3.endpoint)
  world = await createErasureWorld(stage)
  const { deps } = world.verifier
  deps.s3 = createS3({ s3: { ...stage.config.verifier.s3, endpoint: storage.endpoint } })
  archive = deps.s3.nameOf('archive')
}, 300_000)
afterAll(async () => {
  world?.verifier.deps.s3.close()
  await world?.close()
  await stage?.close()
  await storage?.close()
})
beforeEach(() => storage.silence([]))

const LIMIT_MS = 300_000
const DAY_MS = 86_400_000
const about = ({ requestId }: ErasedPerson) => ({ requestId })
const verifier = () => world.verify(10_000)
const certify = (who: ErasedPerson) => verifier().certify({ ...about(who), kind: 'certificate' })
const kinds = (who: ErasedPerson) => kindsOf(world, who)

/** Somebody of whom nothing is left. */
async function erased(): Promise<ErasedPerson> {
  const who = await world.person()
  await world.erase(who)
  await world.destroyKeys(who)
  return who
}

async function retained(digest: string): Promise<string[]> {
  const { certificate } = await readLogged(world, digest)
  if (certificate.kind !== 'certificate') throw new Error(`it is ${certificate.kind}`)
  return storesWith('retained', certificate)
}

async function lastWithdrawal({ requestId }: ErasedPerson) {
  const listed = await listCertificates(world.postgres, requestId)
  const { digest } = listed.findLast(({ kind }) => kind === 'supersession')!
  return (await readLogged(world, digest)).certificate
}

describe('a certificate of the whole', () => {
  test(
    'is refused while a hold is over and not released; signed before, it is given again after the hold has ended',
    async () => {
      const who = await erased()
      const holdId = await holdEmail(world, who, Date.now() + DAY_MS)
      const first = await certify(who)
      await world.postgres.query('end_hold_now', 'UPDATE legal_holds SET until = now() WHERE hold_id = $1', [
        holdId,
      ])
      expect(await certify(who)).toEqual(first)
      expect(await kinds(who)).toEqual(['received', 'certificate'])

      await verifier().supersede({ ...about(who), reason: 'hold-released' })
      await expect(certify(who)).rejects.toMatchObject({ code: 'hold_over' })
      await endHold(world.postgres, holdId)
      expect((await certify(who)).digest).not.toBe(first.digest)
    },
    LIMIT_MS,
  )

  test(
    'that names a released hold is not given again, though its saga was terminated before it could withdraw it',
    async () => {
      const who = await erased()
      const released = await holdEmail(world, who, Date.now() + DAY_MS)
      const standing = await holdEmail(world, who, Date.now() + DAY_MS)
      const first = await certify(who)
      expect((await retained(first.digest)).length).toBe(2)

      await endHold(world.postgres, released)
      const second = await certify(who)
      expect(second.digest).not.toBe(first.digest)
      expect(await retained(second.digest)).toEqual([`postgres/legal_holds/${standing}`])
      expect(await kinds(who)).toEqual(['received', 'certificate, withdrawn', 'supersession', 'certificate'])
      expect(await lastWithdrawal(who)).toMatchObject({ supersedes: first.digest, reason: 'hold-released' })
      expect(await certify(who)).toEqual(second)

      await endHold(world.postgres, standing)
      expect(await retained((await certify(who)).digest)).toEqual([])
    },
    LIMIT_MS,
  )

  test(
    'falls with the look that finds something, and another one follows when it is gone',
    async () => {
      const who = await erased()
      const first = await certify(who)
      await plantSurvivor(world, who)
      await expect(certify(who)).rejects.toMatchObject({ code: 'survivors_found' })
      expect(await kinds(who)).toEqual(['received', 'certificate, withdrawn', 'supersession'])
      // The saga withdraws it as well, where it was to be closed.
      await verifier().supersede({ ...about(who), reason: 'survivor-found' })
      await world.erase(who)
      expect((await certify(who)).digest).not.toBe(first.digest)
      expect(await kinds(who)).toEqual(['received', 'certificate, withdrawn', 'supersession', 'certificate'])
    },
    LIMIT_MS,
  )
})

describe('the second certificate', () => {
  test(
    'is told that something was found, though whoever found it died with the withdrawal and a later look is clean',
    async () => {
      const who = await erased()
      const first = await certify(who)
      await plantSurvivor(world, who)
      const { deps } = world.verifier
      const dying = createVerifierActivities({
        ...deps,
        patienceMs: 2_000,
        async append(wish) {
          await deps.append(wish)
          throw new Error('killed')
        },
      })
      const closed = { ...about(who), kind: 'closed' as const }
      await expect(dying.certify(closed)).rejects.toThrow('killed')
      await removeSurvivor(world, who)
      expect(await verifier().verifyAbsence(about(who))).toEqual({ found: [] })

      await expect(verifier().certify(closed)).rejects.toMatchObject({ code: 'survivors_found' })
      // What the saga does next finds its leaf, and gets another certificate.
      await verifier().supersede({ ...about(who), reason: 'survivor-found' })
      expect(await kinds(who)).toEqual(['received', 'certificate, withdrawn', 'supersession'])
      expect((await certify(who)).digest).not.toBe(first.digest)
    },
    LIMIT_MS,
  )
})

describe('a partial certificate', () => {
  test(
    "falls at once when the saga's own look finds something in a store that it calls erased, and not for one that it does not",
    async () => {
      const who = await world.person()
      await world.erase(who, ['s3/archive'])
      await noteAway(world, who, ['s3/archive'])
      storage.silence([archive])
      const { digest } = await verifier().certifyPartial(about(who))

      // The archive holds the person still, as the certificate says.
      storage.silence([])
      const before = await verifier().verifyAbsence(about(who))
      expect(before.found.map(({ store }) => store)).toEqual(['s3/archive'])
      expect(await kinds(who)).toEqual(['received', 'partial'])

      await plantSurvivor(world, who)
      const { found } = await verifier().verifyAbsence(about(who))
      expect(found.map(({ store }) => store)).toContain('postgres/vault')
      expect(await kinds(who)).toEqual(['received', 'partial, withdrawn', 'supersession'])
      expect(await lastWithdrawal(who)).toMatchObject({ supersedes: digest, reason: 'survivor-found' })

      // Seen again: it has fallen already.
      await verifier().verifyAbsence(about(who))
      expect(await kinds(who)).toEqual(['received', 'partial, withdrawn', 'supersession'])
    },
    LIMIT_MS,
  )
})
