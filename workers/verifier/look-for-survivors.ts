import type { ClickHouseClient } from '../../clickhouse/client.ts'
import type { KeyReader } from '../../postgres/key-provider.ts'
import { EbbError } from '../../runtime/errors.ts'
import type { S3 } from '../../s3/client.ts'
import type { Survivors } from '../../schemas/erasure.ts'
import { createFindings, soughtOf } from './findings.ts'
import { lookIntoAggregates } from './look-into-aggregates.ts'
import { lookIntoClickHouse } from './look-into-clickhouse.ts'
import { type KafkaLook, lookIntoKafka } from './look-into-kafka.ts'
import { lookIntoKeyring } from './look-into-keyring.ts'
import { lookIntoPostgres } from './look-into-postgres.ts'
import { lookIntoArchive, lookIntoExports } from './look-into-s3.ts'
import { readOpenRequests } from './observation.ts'
import type { KeyringReader } from './read-keyring.ts'

export interface LookDeps extends KafkaLook {
  keyring: KeyringReader
  provider: KeyReader
  clickhouse: ClickHouseClient
  /** Name of ClickHouse's collection for the archive's bucket. */
  collection: string
  s3: S3
  /** Bound of each wait for what goes by itself, milliseconds; for tests. */
  patienceMs?: number
}

/**
 * What the verifier found for each of these requests, that is not closed. One query a table for all of them.
 * @param unreachable stores that are left out, since they give no answer
 */
export async function lookForSurvivors(
  deps: LookDeps,
  requestIds: readonly string[],
  unreachable: readonly string[] = [],
): Promise<Map<string, Survivors>> {
  const requests = [...(await readOpenRequests(deps, requestIds)).values()]
  const sought = requests.map(soughtOf)
  const findings = createFindings(sought)
  for (const { requestId, observed } of requests) {
    if (!observed) throw new EbbError('not_observed', 'the closure was not observed before the erasure')
    // Without its secret a subject has no token, and what bears the token cannot be looked for.
    findings.add(requestId, 'verifier/closure', observed.keyless.length)
  }
  const ifReached = (store: string, look: () => Promise<void>) =>
    unreachable.includes(store) ? undefined : look()
  await Promise.all([
    lookIntoPostgres(deps.postgres, requests, sought, findings),
    lookIntoKafka(deps, sought, findings),
    ifReached('s3/archive', () => lookIntoArchive(deps, sought, findings)),
    ifReached('s3/exports', () => lookIntoExports(deps, sought, findings)),
    ifReached('clickhouse/events', () => lookIntoClickHouse(deps, sought, findings)),
    ifReached('clickhouse/aggregates', () => lookIntoAggregates(deps, requests, findings)),
  ])
  return new Map(requests.map(({ requestId }) => [requestId, findings.of(requestId)]))
}

/** The same for keys that could still open what was sealed. */
export async function lookForKeys(
  deps: LookDeps,
  requestIds: readonly string[],
): Promise<Map<string, Survivors>> {
  const requests = [...(await readOpenRequests(deps, requestIds)).values()]
  const sought = requests.map(soughtOf)
  const findings = createFindings(sought)
  await lookIntoKeyring(deps, requests, sought, findings)
  return new Map(requests.map(({ requestId }) => [requestId, findings.of(requestId)]))
}
