import { hashContact } from '../../gate/contact-hash.ts'
import { createKeyedHash, hashText } from '../../gate/keyed-hash.ts'
import { deriveSubjectKeys } from '../../gate/subject-keys.ts'
import type { Postgres } from '../../postgres/client.ts'
import type { Keyring } from '../../postgres/keyring.ts'
import type { Secret } from '../scan/scanner.ts'
import type { DrillPerson } from './fields.ts'

/** What stands for a person in the stores, as read before the erasure. */
export interface SubjectBytes {
  person: number
  handle: Buffer
  subjectId: string
  token: Buffer
  secret: Buffer
  /** Hashes of the person's address and number, the same for all of their subjects. */
  contacts: Buffer[]
  /** The number itself. */
  phone: string
}

/** The kinds under which an app may have named the person. */
export const IDS_OF = (person: DrillPerson): readonly (readonly ['user' | 'anonymous', string])[] => [
  ['user', person.userId],
  ['anonymous', person.anonymousId],
  ['anonymous', person.previousId],
  ['user', person.previousId],
]

export function handleOf(lookupKey: Buffer, kind: 'user' | 'anonymous', id: string): Buffer {
  return Buffer.from(hashText(createKeyedHash(lookupKey), kind, id), 'latin1')
}

export function contactsOf(lookupKey: Buffer, { email, phone }: DrillPerson): Buffer[] {
  const keyed = createKeyedHash(lookupKey)
  return [hashContact(keyed, 'email', email), hashContact(keyed, 'phone', phone)]
}

/** Looks up what the platform knows of the people: handles, subject ids, tokens, secrets. */
export async function readSubjectBytes(
  postgres: Postgres,
  keyring: Keyring,
  app: string,
  people: readonly DrillPerson[],
): Promise<SubjectBytes[]> {
  const lookupKey = await keyring.appLookupKey(app)
  const handles = people.flatMap((person) =>
    IDS_OF(person).map(([kind, id]) => ({ person: person.index, handle: handleOf(lookupKey, kind, id) })),
  )
  const rows = await postgres.query<{ handle: Buffer; subject_id: string }>(
    'drill_subjects',
    'SELECT handle, subject_id FROM subjects WHERE handle = ANY($1::bytea[])',
    [handles.map(({ handle }) => handle)],
  )
  const secrets = await keyring.readSecrets(rows.map((row) => row.subject_id))
  const reach = new Map(
    people.map((person) => [person.index, { contacts: contactsOf(lookupKey, person), phone: person.phone }]),
  )
  const personOf = new Map(handles.map(({ person, handle }) => [handle.toString('hex'), person]))
  return rows.flatMap((row) => {
    const secret = secrets.get(row.subject_id)
    if (!secret) return []
    const person = personOf.get(row.handle.toString('hex'))!
    const { token } = deriveSubjectKeys(secret)
    return [{ person, handle: row.handle, subjectId: row.subject_id, token, secret, ...reach.get(person)! }]
  })
}

/** The same as byte strings to search for; a subject id is looked for in text and in binary. */
export function secretsToFind(subjects: readonly SubjectBytes[]): Secret[] {
  const people = new Map(subjects.map((one) => [one.person, one]))
  const ofSubjects = subjects.flatMap(({ person, handle, subjectId, token, secret }) => [
    { name: `handle ${person}`, bytes: handle },
    { name: `token ${person}`, bytes: token },
    { name: `secret ${person}`, bytes: secret },
    { name: `subject ${person}`, bytes: Buffer.from(subjectId) },
    { name: `subject ${person}`, bytes: Buffer.from(subjectId.replaceAll('-', ''), 'hex') },
  ])
  const ofPeople = [...people.values()].flatMap(({ person, contacts, phone }) => [
    ...contacts.map((bytes) => ({ name: `contact ${person}`, bytes })),
    ...[phone, encodeURIComponent(phone)].map((text) => ({
      name: `phone ${person}`,
      bytes: Buffer.from(text),
      isText: true,
    })),
  ])
  return [...ofSubjects, ...ofPeople]
}
