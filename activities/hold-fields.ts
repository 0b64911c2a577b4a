import type { TransactingPostgres } from '../postgres/client.ts'
import type { Keyring } from '../postgres/keyring.ts'
import {
  createHold,
  endHold,
  type HeldFields,
  readStandingHolds,
  type StandingHold,
  sealHold,
} from '../postgres/legal-holds.ts'
import { readSealed } from '../postgres/privacy-requests.ts'
import { createRequestKey } from '../postgres/request-keys.ts'
import { readProfile } from '../postgres/users-pii.ts'
import { faultPoint } from '../runtime/fault.ts'
import type { ErasureActivities } from '../schemas/erasure.ts'

export interface HoldDeps {
  postgres: TransactingPostgres
  keyring: Keyring
  /** Destroys secrets of the keyring by id; gathers those that come together. */
  destroyKey(id: string): Promise<void>
}

export function createPlaceHold({ postgres }: HoldDeps): ErasureActivities['placeHold'] {
  return ({ requestId, ...hold }) => createHold(postgres, requestId, hold)
}

/**
 * Copies each hold's fields out of the vault under a key of the hold, before the person's own key is destroyed. The
 * person's copy is erased like everything else; the held one dies with the hold's key.
 */
export function createSealHolds(deps: HoldDeps): ErasureActivities['sealHolds'] {
  return async ({ requestId }) => {
    const holds = await readStandingHolds(deps.postgres, requestId)
    const unsealed = holds.filter((hold) => !hold.isSealed)
    if (unsealed.length > 0) {
      const profiles = await readProfiles(deps, requestId)
      for (const hold of unsealed) await sealOne(deps, hold, profiles)
    }
    return { holds: holds.map(({ holdId, untilMs }) => ({ holdId, untilMs })) }
  }
}

async function readProfiles(deps: HoldDeps, requestId: string): Promise<HeldFields[]> {
  const { subjects } = await readSealed(deps, requestId)
  const secrets = await deps.keyring.readSecrets(subjects.map((subject) => subject.subjectId))
  const profiles: HeldFields[] = []
  for (const { subjectId } of subjects) {
    const secret = secrets.get(subjectId)
    if (secret) profiles.push((await readProfile(deps, { subjectId, secret })).personal)
  }
  return profiles
}

async function sealOne(deps: HoldDeps, hold: StandingHold, profiles: readonly HeldFields[]): Promise<void> {
  const wanted = new Set(hold.fields)
  const held = profiles
    .map((profile) => Object.fromEntries(Object.entries(profile).filter(([field]) => wanted.has(field))))
    .filter((fields) => Object.keys(fields).length > 0)
  const key = await createRequestKey(deps.keyring, hold.holdId)
  faultPoint('hold.before-seal')
  await sealHold(deps.postgres, { holdId: hold.holdId, key }, held)
}

export function createReleaseHold(deps: HoldDeps): ErasureActivities['releaseHold'] {
  return async ({ holdId }) => {
    await endHold(deps.postgres, holdId)
    faultPoint('hold.before-destroy')
    await deps.destroyKey(holdId)
  }
}
