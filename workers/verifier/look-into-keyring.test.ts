import { describe, expect, test } from 'vitest'
import type { KeyReader } from '../../postgres/key-provider.ts'
import { createFindings, soughtOf } from './findings.ts'
import { lookIntoKeyring } from './look-into-keyring.ts'
import type { OpenRequest } from './observation.ts'
import type { KeyringReader } from './read-keyring.ts'

/** Whose secret version 1 of this shard has sealed. */
function requestOf(requestId: string, shard: number): OpenRequest {
  const subject = { subjectId: requestId, token: '00', shard, keyVersion: 1, providerKey: 'p' }
  const sealed = { identifiers: [], handles: [], subjects: [], salt: '' }
  return {
    requestId,
    sealed,
    observed: { handles: [], subjects: [subject], keyless: [], days: [] },
  } as Partial<OpenRequest> as OpenRequest
}

/** @param looks versions of shards that have a row, as `shard.version`, look by look; the last again and again */
async function find(requests: OpenRequest[], looks: string[][], patienceMs: number) {
  const left = [...looks]
  const keyring = {
    remaining: async () => new Set<string>(),
    versions: async (shards: readonly number[]) =>
      (left.length > 1 ? left.shift()! : left[0]!)
        .map((name) => name.split('.').map(Number))
        .map(([shard, keyVersion]) => ({ shard: shard!, keyVersion: keyVersion!, providerKey: 'p' }))
        .filter(({ shard }) => shards.includes(shard)),
  } as Partial<KeyringReader> as KeyringReader
  const provider = { listKeys: async () => [] } as Partial<KeyReader> as KeyReader
  const sought = requests.map(soughtOf)
  const findings = createFindings(sought)
  await lookIntoKeyring({ keyring, provider, patienceMs }, requests, sought, findings)
  return requests.map(({ requestId }) => findings.of(requestId).found)
}

describe('versions of a shard', () => {
  const [one, other] = [requestOf('one', 1), requestOf('other', 2)]

  test('that sealed a secret of the person, or are older than the newest, are found', async () => {
    expect(await find([one], [['1.1', '1.2']], 0)).toEqual([[{ store: 'keyring', count: 1 }]])
    expect(await find([one], [['1.2', '1.3']], 0)).toEqual([[{ store: 'keyring', count: 1 }]])
    expect(await find([one], [['1.2']], 0)).toEqual([[]])
  })

  test('are not another person’s once theirs were seen without: batches that go on and on stop nobody', async () => {
    const looks = [
      ['1.2', '2.2', '2.3'],
      ['1.2', '1.3', '2.3'],
    ]
    expect(await find([one, other], looks, 2_000)).toEqual([[], []])
  })

  test('that stay are found, whoever else is done', async () => {
    expect(await find([one, other], [['1.2', '2.2', '2.3']], 300)).toEqual([
      [],
      [{ store: 'keyring', count: 1 }],
    ])
  })
})
