import { DescribeKeyCommand, KMSClient, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { destroySecrets, secretsRemaining } from '../../postgres/destroy-secrets.ts'
import { shardOf } from '../../postgres/key-shard.ts'
import { openKeyring } from '../../postgres/keyring.ts'
import { createKmsKeyProvider, PENDING_DAYS } from '../../postgres/kms-key-provider.ts'
import { createKeyringStage, type KeyringStage } from '../keyring-stage.ts'
import { type LocalKms, startLocalKms } from '../local-kms.ts'

// The SDK finds credentials where it always does; a local KMS takes any.
beforeAll(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test')
})
const kms: LocalKms | undefined = await startLocalKms()
afterAll(async () => {
  vi.unstubAllEnvs()
  await kms?.stop()
})

const REGION = 'eu-central-1'
const WEEK_MS = PENDING_DAYS * 86_400_000
const KEY = Buffer.alloc(32, 7)

describe.skipIf(!kms)('keys in AWS KMS (moto_server on PATH)', () => {
  const open = (aliasPrefix = 'one-') =>
    createKmsKeyProvider({ region: REGION, endpoint: kms!.endpoint, aliasPrefix })
  const client = () => new KMSClient({ region: REGION, endpoint: kms!.endpoint })

  test('What one process wraps another unwraps, in its context only', async () => {
    await Promise.all([open().createKey('a'), open().createKey('a'), open().createKey('b')])
    const wrapped = await open().wrap('a', KEY, 'shard 1')
    expect(wrapped.includes(KEY)).toBe(false)
    expect(await open().unwrap('a', wrapped, 'shard 1')).toEqual(KEY)
    for (const [name, context] of [
      ['a', 'shard 2'],
      ['b', 'shard 1'],
    ] as const) {
      await expect(open().unwrap(name, wrapped, context)).rejects.toMatchObject({
        code: expect.stringMatching(/^key_(unwrap_failed|provider_unavailable)$/),
      })
    }
  })

  test('A destroyed key is of no use at once, is to be deleted in a week, and is listed until then', async () => {
    await open().createKey('c')
    const wrapped = await open().wrap('c', KEY, 'x')
    const { goneByMs } = await open().destroyKey('c')
    expect(Math.abs(goneByMs - Date.now() - WEEK_MS)).toBeLessThan(60_000)
    const again = await open().destroyKey('c')
    expect(Math.abs(again.goneByMs - goneByMs)).toBeLessThan(5_000)
    await expect(open().unwrap('c', wrapped, 'x')).rejects.toMatchObject({ code: 'key_missing' })
    await expect(open().wrap('c', KEY, 'x')).rejects.toMatchObject({ code: 'key_missing' })
    const { KeyMetadata } = await client().send(new DescribeKeyCommand({ KeyId: 'alias/one-destroyed/c' }))
    expect(KeyMetadata!.KeyState).toBe('PendingDeletion')
    const listed = await open().listKeys()
    expect(listed.map((key) => [key.name, key.goneByMs !== null]).sort()).toEqual([
      ['a', false],
      ['b', false],
      ['c', true],
    ])
    // Another installation in the same account sees none of them.
    expect(await open('two-').listKeys()).toEqual([])
  })

  test('A destruction that died half way is ended by the next', async () => {
    await open().createKey('d')
    const { KeyMetadata } = await client().send(new DescribeKeyCommand({ KeyId: 'alias/one-d' }))
    await client().send(
      new ScheduleKeyDeletionCommand({ KeyId: KeyMetadata!.KeyId!, PendingWindowInDays: PENDING_DAYS }),
    )
    await open().destroyKey('d')
    expect((await open().listKeys()).find((key) => key.name === 'd')?.goneByMs).toBeGreaterThan(Date.now())
    await expect(open().wrap('d', KEY, 'x')).rejects.toMatchObject({ code: 'key_missing' })
  })

  test('A provider that is away says so', async () => {
    const away = createKmsKeyProvider({ region: REGION, endpoint: 'http://127.0.0.1:9', aliasPrefix: 'x-' })
    await expect(away.wrap('a', KEY, 'x')).rejects.toMatchObject({ code: 'key_provider_unavailable' })
  })

  describe('a keyring over it', () => {
    let at: KeyringStage
    beforeAll(async () => {
      at = await createKeyringStage({ EBB_KEY_PROVIDER: `kms:${REGION}`, EBB_KMS_ENDPOINT: kms!.endpoint })
    })
    afterAll(() => at?.close())

    test('destroys secrets with a horizon, which a repeat tells again', async () => {
      const people = await at.create(100)
      const victims = [...people.keys()].slice(0, 2)
      const done = await destroySecrets(at.deps, victims)
      expect(done.destroyedKeys.sort()).toEqual(
        [...new Set(victims.map((id) => `shard-${shardOf(id)}-v1`))].sort(),
      )
      expect(Math.abs(done.goneByMs - Date.now() - WEEK_MS)).toBeLessThan(60_000)
      expect(Math.abs((await destroySecrets(at.deps, victims)).goneByMs - done.goneByMs)).toBeLessThan(5_000)
      expect(await secretsRemaining(at.deps, victims)).toEqual({ secrets: 0, oldVersions: 0, oldKeys: [] })
      const later = await openKeyring(at.postgres, at.provider)
      expect(await later.readSecrets([...people.keys()])).toEqual(new Map([...people].slice(2)))
    })
  })
})
