import { z } from 'zod'
import type { Postgres } from '../../postgres/client.ts'

/** Places that may hold copies until a date, each with the horizon by which a certificate must name it. */
const AGEING: readonly { place: RegExp; store: RegExp }[] = [
  { place: /^kafka events/, store: /^kafka\/events/ },
  { place: /^kafka subject_states/, store: /^kafka\/subject_states/ },
  { place: /^kafka revocations/, store: /^kafka\/revocations/ },
  { place: /^postgres pg_wal$/, store: /^postgres.* write-ahead log/ },
  { place: /^s3 \S*backups/, store: /^s3\/backups/ },
]

const Horizons = z.object({ horizons: z.array(z.object({ store: z.string(), what: z.string() })) })

/**
 * What certificates say still has to age: a place may hold something after the first certificate only when every certificate
 * names it. @returns whether a place is named
 */
export async function readNamedHorizons(
  postgres: Postgres,
  requestIds: readonly string[],
): Promise<(place: string) => boolean> {
  const rows = await postgres.query<{ file: Buffer }>(
    'drill_certificates',
    `SELECT file FROM certificates WHERE request_id = ANY($1::uuid[]) AND kind = 'certificate'`,
    [requestIds],
  )
  const named = rows.map(({ file }) => readHorizons(file))
  // Once, and not for each of a million findings.
  const ageing = AGEING.filter(
    (one) =>
      named.length > 0 &&
      named.every((horizons) => horizons.some(({ store, what }) => one.store.test(`${store} ${what}`))),
  )
  return (place) => ageing.some((one) => one.place.test(place))
}

function readHorizons(file: Buffer): { store: string; what: string }[] {
  const parsed = JSON.parse(file.toString('utf8')) as { statement?: unknown }
  const found = Horizons.safeParse(parsed.statement ?? parsed)
  return found.success ? found.data.horizons : []
}
