import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { countByPlace } from '../erasure/name-places.ts'
import type { DrillStage } from '../erasure/stage.ts'
import { secretsToFind } from '../erasure/subject-bytes.ts'
import { type FileFinding, scanTree } from '../scan/scan-tree.ts'

interface Certificate {
  digest: string
  requestId: string
  person: number
}

export interface CertificateWatch {
  /** Certificates seen. */
  seen(): number
  /** Of those, how many were issued while something of the person was still there. */
  premature(): number
  /** Has it looked for a certificate of this request? A hold that is released before that has the person erased anew, under its eyes. */
  hasSearched(requestId: string): boolean
  stop(): Promise<void>
}

/**
 * Looks at the disks in the moment in which a certificate appears, whatever the engines are doing: for the person's tokens and
 * canaries in ClickHouse, in the archive and in exports, and for the rows of the vault and the secret.
 * @param personOf who a request is about
 */
export function watchCertificates(
  stage: DrillStage,
  personOf: ReadonlyMap<string, number>,
  say: (line: string) => void,
): CertificateWatch {
  const { home } = stage.drill
  const folders = [
    join(home, 'clickhouse', 'store'),
    ...['data', 'versions'].flatMap((kind) =>
      ['archive', 'exports'].map((bucket) => join(home, 's3', kind, `ebb-${bucket}`)),
    ),
  ]
  const checked = new Set<string>()
  const searched = new Set<string>()
  let premature = 0
  let stopping = false

  /** One search for all certificates that came since the last: a search each would fall behind, and look when it is too late to tell. */
  async function check(fresh: readonly Certificate[]): Promise<void> {
    const people = new Set(fresh.map(({ person }) => person))
    const own = stage.subjects.filter(({ person }) => people.has(person))
    const { findings } = await scanTree(stage.createScanner(secretsToFind(own)), folders)
    for (const { digest, person } of fresh) {
      const about = findings.filter((finding) => personFound(finding) === person)
      const rows = await countRows(
        stage,
        own.filter((subject) => subject.person === person),
      )
      if (about.length + rows > 0) await tell(digest, person, about, rows)
    }
  }
  async function tell(digest: string, person: number, about: readonly FileFinding[], rows: number) {
    premature++
    say(
      `PREMATURE: certificate ${digest.slice(0, 12)} of person ${person}; ${rows} rows, ${about.length} findings`,
    )
    const places = await stage.readPlaces().catch(() => () => 'somewhere')
    for (const line of countByPlace(about, places, ({ secret, canary }) =>
      canary ? stage.fieldOf(canary.field) : (secret ?? ''),
    ))
      say(`  ${line}`)
  }
  const look = async () => {
    const rows = await stage.postgres
      .query<{ digest: string; request_id: string }>(
        'drill_new_certificates',
        `SELECT digest, request_id FROM certificates WHERE kind IN ('certificate', 'closed') AND request_id IS NOT NULL`,
        [],
      )
      .catch(() => [])
    const fresh = rows.flatMap(({ digest, request_id }) => {
      const person = personOf.get(request_id)
      return checked.has(digest) || person === undefined ? [] : [{ digest, requestId: request_id, person }]
    })
    if (fresh.length > 0) await check(fresh)
    for (const { digest, requestId } of fresh) {
      checked.add(digest)
      searched.add(requestId)
    }
  }
  const watching = (async () => {
    while (!stopping) {
      await look()
      await sleep(200)
    }
    await look()
  })()
  return {
    seen: () => checked.size,
    premature: () => premature,
    hasSearched: (requestId) => searched.has(requestId),
    async stop() {
      stopping = true
      await watching
    },
  }
}

/** Names of secrets end with the person's number: subject-bytes.ts. */
function personFound({ canary, secret }: FileFinding): number {
  return canary?.subject ?? Number(secret?.split(' ').at(-1))
}

/** Rows of the person in Postgres; asked until the server is there, since kills go on. */
async function countRows(stage: DrillStage, own: DrillStage['subjects']): Promise<number> {
  const ids = own.map(({ subjectId }) => subjectId)
  const ask = async (): Promise<number> => {
    const [vault] = await stage.postgres.query<{ rows: string }>(
      'drill_vault_rows',
      `SELECT (SELECT count(*) FROM subjects WHERE subject_id = ANY($1::uuid[]))
            + (SELECT count(*) FROM users_pii WHERE subject_id = ANY($1::uuid[]))
            + (SELECT count(*) FROM users_public WHERE subject_id = ANY($1::uuid[]))
            + (SELECT count(*) FROM contacts WHERE subject_id = ANY($1::uuid[]))
            + (SELECT count(*) FROM subject_links WHERE from_subject = ANY($1::uuid[]) OR to_subject = ANY($1::uuid[])) AS rows`,
      [ids],
    )
    const [keyring] = await stage.keyring.query<{ rows: string }>(
      'drill_secret_rows',
      'SELECT count(*) AS rows FROM subject_secrets WHERE subject_id = ANY($1::uuid[])',
      [ids],
    )
    return Number(vault?.rows) + Number(keyring?.rows)
  }
  for (let tries = 0; ; tries++) {
    try {
      return await ask()
    } catch (error) {
      if (tries === 100) throw error
      await sleep(300)
    }
  }
}
