import type { KeyReader } from '../../postgres/key-provider.ts'
import { parseProviderKeyName } from '../../postgres/key-shard.ts'
import { type Findings, type Sought, waitForEach } from './findings.ts'
import type { OpenRequest } from './observation.ts'
import type { KeyringReader } from './read-keyring.ts'

const STORE = 'keyring'
/** Another batch may be rewrapping a shard at the moment; one of many people on a busy machine took 37 s. */
const ROTATION_MS = 45_000

/**
 * Looks for what could still open the person's secrets: their rows, the shard versions that sealed them, and the
 * provider's keys of those versions. A row that was deleted while its shard's key lives on is found by the last two.
 */
export async function lookIntoKeyring(
  deps: { keyring: KeyringReader; provider: KeyReader; patienceMs?: number },
  requests: readonly OpenRequest[],
  sought: readonly Sought[],
  findings: Findings,
): Promise<void> {
  const rows = await deps.keyring.remaining([...new Set(sought.flatMap((one) => [...one.subjectIds]))])
  for (const id of rows) findings.addFor('subjectIds', id, STORE, 1)
  const patienceMs = Math.min(deps.patienceMs ?? ROTATION_MS, ROTATION_MS)
  const left = await waitForEach(requests, patienceMs, (waiting) => livingVersions(deps, waiting))
  for (const [requestId, count] of left) findings.add(requestId, STORE, count)
}

/** How many versions, that sealed a secret of the request when it was seen last or are older than the newest, are there. */
async function livingVersions(
  { keyring, provider }: { keyring: KeyringReader; provider: KeyReader },
  requests: readonly OpenRequest[],
): Promise<Map<string, number>> {
  const shards = [
    ...new Set(requests.flatMap((one) => one.observed?.subjects.map(({ shard }) => shard) ?? [])),
  ]
  const [versions, listed] = await Promise.all([keyring.versions(shards), provider.listKeys()])
  const inUse = listed.flatMap(({ name, goneByMs }) =>
    goneByMs === null ? (parseProviderKeyName(name) ?? []) : [],
  )
  const newest = new Map<number, number>()
  for (const { shard, keyVersion } of versions) {
    newest.set(shard, Math.max(newest.get(shard) ?? 0, keyVersion))
  }
  return new Map(
    requests.map(({ requestId, observed }) => {
      let count = 0
      for (const seen of observed?.subjects ?? []) {
        const isOld = ({ shard, keyVersion }: { shard: number; keyVersion: number }) =>
          shard === seen.shard && (keyVersion <= seen.keyVersion || keyVersion < (newest.get(shard) ?? 0))
        count += versions.filter(isOld).length + inUse.filter(isOld).length
      }
      return [requestId, count]
    }),
  )
}
