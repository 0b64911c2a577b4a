import { randomUUID } from 'node:crypto'
import type { TransactingPostgres } from '../../postgres/client.ts'
import { type Profile, writeProfiles } from '../../postgres/users-pii.ts'
import type { S3 } from '../../s3/client.ts'
import { exportPrefix } from '../../s3/exports.ts'
import { putObject } from '../../s3/put-object.ts'
import type { DrillPerson } from './fields.ts'
import type { SubjectBytes } from './subject-bytes.ts'

/** Writes a profile into the vault for each subject: a sealed field, and a trait that is kept as it is. */
export async function plantProfiles(
  postgres: TransactingPostgres,
  app: string,
  subjects: readonly SubjectBytes[],
  people: ReadonlyMap<number, DrillPerson>,
): Promise<void> {
  const profiles = subjects.map(({ person, subjectId, secret }): Profile => {
    const { canary, email, phone } = people.get(person)!
    return {
      subjectId,
      app,
      key: { secret },
      personal: { email, phone, name: canary('sealedField') },
      public: { plan: canary('plan'), note: canary('publicTrait') },
    }
  })
  for (let at = 0; at < profiles.length; at += 200) {
    await writeProfiles({ postgres }, profiles.slice(at, at + 200))
  }
}

/** Puts the file of a person's export where exports lie, in two versions. */
export async function plantExports(
  s3: S3,
  subjects: readonly SubjectBytes[],
  people: ReadonlyMap<number, DrillPerson>,
): Promise<void> {
  for (const { person, token } of subjects) {
    const { canary, email, phone } = people.get(person)!
    const key = `${exportPrefix(token)}${randomUUID()}.json`
    const body = JSON.stringify({ email, phone, note: canary('exportFile') })
    await putObject(s3, 'exports', key, body, 'application/json')
    await putObject(s3, 'exports', key, `${body}\n`, 'application/json')
  }
}
