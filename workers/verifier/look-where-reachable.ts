import { EbbError } from '../../runtime/errors.ts'
import type { Survivors } from '../../schemas/erasure.ts'
import { createFindings, soughtOf } from './findings.ts'
import type { LookDeps } from './look-for-survivors.ts'
import { lookIntoAggregates } from './look-into-aggregates.ts'
import { lookIntoClickHouse } from './look-into-clickhouse.ts'
import { lookIntoKafka } from './look-into-kafka.ts'
import { lookIntoKeyring } from './look-into-keyring.ts'
import { lookIntoPostgres } from './look-into-postgres.ts'
import { lookIntoArchive, lookIntoExports } from './look-into-s3.ts'
import { readOpenRequests } from './observation.ts'
import { findUnreachable } from './reach-stores.ts'

/** What a look into every store that answers has shown. */
export interface PartialLook extends Survivors {
  unreachable: string[]
  /** Whether nothing opens the person's secrets any more: mostly not, since keys go last. */
  keysGone: boolean
}

/**
 * As lookForSurvivors, leaving out the stores that give no answer. A store that falls silent during its look is an error, and is
 * asked anew.
 */
export async function lookWhereReachable(
  deps: LookDeps,
  requestIds: readonly string[],
): Promise<Map<string, PartialLook>> {
  const requests = [...(await readOpenRequests(deps, requestIds)).values()]
  const sought = requests.map(soughtOf)
  const findings = createFindings(sought)
  const keys = createFindings(sought)
  for (const { requestId, observed } of requests) {
    if (!observed) throw new EbbError('not_observed', 'the closure was not observed before the erasure')
    findings.add(requestId, 'verifier/closure', observed.keyless.length)
  }
  const unreachable = await findUnreachable(deps)
  const ifReached = (store: string, look: () => Promise<void>) =>
    unreachable.includes(store) ? undefined : look()
  await Promise.all([
    lookIntoPostgres(deps.postgres, requests, sought, findings),
    lookIntoKafka(deps, sought, findings),
    ifReached('s3/archive', () => lookIntoArchive(deps, sought, findings)),
    ifReached('s3/exports', () => lookIntoExports(deps, sought, findings)),
    ifReached('clickhouse/events', () => lookIntoClickHouse(deps, sought, findings)),
    // Nobody waits for keys to go before every store is erased.
    lookIntoKeyring({ ...deps, patienceMs: 0 }, requests, sought, keys),
  ])
  await ifReached('clickhouse/aggregates', () => lookIntoAggregates(deps, requests, findings))
  return new Map(
    requests.map(({ requestId }) => [
      requestId,
      {
        ...findings.of(requestId),
        unreachable,
        keysGone: keys.of(requestId).found.length === 0,
      },
    ]),
  )
}
