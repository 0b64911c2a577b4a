import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { endHold } from '../../postgres/legal-holds.ts'
import { handlesOf, setState } from '../../postgres/privacy-requests.ts'
import { createSubjectResolver } from '../../postgres/resolve-subjects.ts'
import { createLinkWriter } from '../../postgres/subject-links.ts'
import { holdEmail } from '../certified-person.ts'
import { createErasureWorld, type ErasedPerson, type ErasureWorld } from '../erased-person.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let world: ErasureWorld

beforeAll(async () => {
  stage = await createStage()
  world = await createErasureWorld(stage)
}, 300_000)
afterAll(async () => {
  await world?.close()
  await stage?.close()
})

const LIMIT_MS = 300_000
const about = ({ requestId }: ErasedPerson) => ({ requestId })
const verifier = () => world.verify(10_000)
const certify = (who: ErasedPerson) => verifier().certify({ ...about(who), kind: 'certificate' })

/** Under the same ids, with a new device: what a collector does once the block is lifted. */
async function comeBack({ identifiers }: ErasedPerson): Promise<void> {
  const { postgres, edge } = world
  const device = { label: 'anonymousId' as const, value: `new device of ${identifiers[0]!.value}` }
  const handles = handlesOf(await edge.keyring.appLookupKey('shop'), [...identifiers, device])
  await createSubjectResolver({ postgres, keyring: edge.keyring }).resolve(handles.slice(0, -1), 'shop')
  await createLinkWriter({ postgres, keyring: edge.keyring }).write(
    [{ kind: 'identify', from: handles.at(-1)!, to: handles[0]! }],
    'shop',
  )
}

describe('whoever comes back under the same ids', () => {
  test(
    'once the block is lifted is somebody else to the verifier; before it was, the one who is to be gone',
    async () => {
      const who = await world.person()
      await world.erase(who)
      await world.destroyKeys(who)
      const holdId = await holdEmail(world, who, Date.now() + 86_400_000)
      await certify(who)
      await world.edge.lift(who.requestId)
      // Between the two steps of the saga: from the first one on, collectors take them.
      await comeBack(who)
      await setState(world.postgres, who.requestId, 'held')

      await endHold(world.postgres, holdId)
      await verifier().supersede({ ...about(who), reason: 'hold-released' })
      expect(await world.observe(who)).toBe(3)
      expect(await verifier().verifyAbsence(about(who))).toEqual({ found: [] })
      expect(await verifier().verifyKeysGone(about(who))).toEqual({ found: [] })
      await certify(who)

      await world.postgres.query(
        'came_before',
        `UPDATE subjects SET created_at = now() - interval '1 hour'`,
        [],
      )
      const { found } = await verifier().verifyAbsence(about(who))
      expect(found.map(({ store }) => store)).toContain('postgres/vault')
      expect((await verifier().verifyKeysGone(about(who))).found).toMatchObject([{ store: 'keyring' }])
    },
    LIMIT_MS,
  )

  test(
    'is nobody else because the erasers say that the block was lifted long ago: the log has no certificate',
    async () => {
      const who = await world.person()
      await world.postgres.query(
        'lie_lifted',
        `UPDATE privacy_requests SET observed = NULL, certified_at = '2026-01-01',
           progress = progress || '{"cutoff": {"atMs": 1, "untilMs": 2}}' WHERE request_id = $1`,
        [who.requestId],
      )
      expect(await world.observe(who)).toBe(3)
      const { found } = await verifier().verifyAbsence(about(who))
      expect(found.map(({ store }) => store)).toContain('postgres/vault')
    },
    LIMIT_MS,
  )
})
