import { deriveSubjectKeys } from '../../gate/subject-keys.ts'
import type { Keyring } from '../../postgres/keyring.ts'
import type { DrillPerson } from '../erasure/fields.ts'
import { APP, type DrillStage } from '../erasure/stage.ts'
import { contactsOf, handleOf, IDS_OF } from '../erasure/subject-bytes.ts'
import { scanTree } from '../scan/scan-tree.ts'
import type { Secret } from '../scan/scanner.ts'
import { createCarver } from './carve-keys.ts'

export interface AttackResult {
  wrappingKeys: number
  carvedRows: number
  /** Secrets of the drill's people that opened. */
  secretsUnwrapped: number
  /** People whose address led to something that a store still holds. */
  linked: number
}

/**
 * Attacks with everything that is left: every file of every engine with surviving backups in them, the wrapping keys, the
 * look-up key, and the addresses, numbers and ids of all people.
 *
 * 1. Wrapped secrets are carved out of all bytes and tried with every key found.
 * 2. Handles and hashes of contacts come from the addresses, tokens from the secrets; each is searched for in all bytes.
 * @param lookupKey the app's: the attacker has it, since it is not destroyed with a person
 */
export async function attackPlatform(stage: DrillStage, lookupKey: Buffer): Promise<AttackResult> {
  const carver = createCarver()
  await scanTree(
    stage.createScanner([], (data) => carver.look(data)),
    stage.drill.folders,
  )
  const secrets = [...carver.unwrap().values()]
  const known = new Map(stage.subjects.map((subject) => [subject.secret.toString('hex'), subject]))
  const opened = secrets.flatMap((secret) => known.get(secret.toString('hex')) ?? [])

  const wanted = [
    ...stage.people.flatMap((person) => hashesOf(person, lookupKey)),
    ...opened.map(
      ({ person, secret }): Secret => ({ name: `${person}`, bytes: deriveSubjectKeys(secret).token }),
    ),
  ]
  const { findings } = await scanTree(stage.createScanner(wanted), stage.drill.folders)
  const linked = new Set(findings.flatMap(({ secret }) => secret ?? []))
  const { wrappingKeys, rows } = carver.found()
  return {
    wrappingKeys,
    carvedRows: rows,
    secretsUnwrapped: new Set(opened.map(({ subjectId }) => subjectId)).size,
    linked: linked.size,
  }
}

function hashesOf(person: DrillPerson, lookupKey: Buffer): Secret[] {
  const handles = IDS_OF(person).map(([kind, id]) => handleOf(lookupKey, kind, id))
  return [...handles, ...contactsOf(lookupKey, person)].map((bytes) => ({ name: `${person.index}`, bytes }))
}

/** The look-up key of the drill's app. */
export const readLookupKey = (keyring: Keyring): Promise<Buffer> => keyring.appLookupKey(APP)
