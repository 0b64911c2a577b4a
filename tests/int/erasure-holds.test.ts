import { randomUUID } from 'node:crypto'
import type { Client } from '@temporalio/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createKeyDestroyer } from '../../activities/destroy-secrets.ts'
import { createFollowUpErasures } from '../../activities/follow-up-erasures.ts'
import { createPlaceHold, createReleaseHold, createSealHolds } from '../../activities/hold-fields.ts'
import { createOpenRequest } from '../../activities/open-request.ts'
import type { PrivacyOffice } from '../../cli/privacy-office.ts'
import { showStatus } from '../../cli/submit-erasure.ts'
import { createApp } from '../../postgres/apps.ts'
import { createPostgres, type TransactingPostgres } from '../../postgres/client.ts'
import { type Keyring, openKeyring } from '../../postgres/keyring.ts'
import { noteLateLinks } from '../../postgres/late-links.ts'
import { openHold } from '../../postgres/legal-holds.ts'
import { openKeyProvider } from '../../postgres/open-key-provider.ts'
import { readRequest, readSealed, submitErasure, writeSealed } from '../../postgres/privacy-requests.ts'
import { readRequestKey } from '../../postgres/request-keys.ts'
import { writeProfile } from '../../postgres/users-pii.ts'
import { EbbError } from '../../runtime/errors.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let postgres: TransactingPostgres
let keyrings: TransactingPostgres
let keyring: Keyring
let provider: Awaited<ReturnType<typeof openKeyProvider>>
const privacy = { graceMs: 0, dueMs: 60_000 }
beforeAll(async () => {
  stage = await createStage()
  postgres = createPostgres(stage.config.postgres.url, { connections: 4, timeoutMs: 60_000 })
  keyrings = createPostgres(stage.config.postgres.keyringUrl)
  provider = await openKeyProvider(stage.config)
  keyring = await openKeyring(keyrings, provider)
  await createApp(postgres, { app: 'shop' })
})
afterAll(async () => {
  await Promise.all([postgres?.close(), keyrings?.close()])
  await stage?.close()
})

async function makePerson(handle: Buffer, personal: Record<string, string>) {
  const [made] = await keyring.createSecrets([randomUUID()])
  const { subjectId, secret } = made!
  await postgres.query('test_subject', 'INSERT INTO subjects (handle, app, subject_id) VALUES ($1, $2, $3)', [
    handle,
    'shop',
    subjectId,
  ])
  await writeProfile({ postgres }, { subjectId, app: 'shop', key: { secret }, personal, public: {} })
  return { subjectId, handle: handle.toString('hex'), token: '00'.repeat(16) }
}

describe('a legal hold', () => {
  it('keeps its fields under a key of its own, and nothing else, until it is released', async () => {
    const person = await makePerson(Buffer.alloc(32, 7), {
      email: 'ada@example.com',
      name: 'Ada',
      phone: '1',
    })
    const wish = { app: 'shop', identifiers: [{ label: 'userId' as const, value: 'ada' }] }
    const { requestId } = await submitErasure(
      { postgres, keyring, privacy, now: Date.now },
      { ...wish, proof: 'email-code' },
      'test',
    )
    const sealed = await readSealed({ postgres, keyring }, requestId)
    await writeSealed({ postgres, keyring }, requestId, { ...sealed, subjects: [person] })
    const destroyKey = createKeyDestroyer({
      largestRewriteBytes: stage.config.privacy.largestRewriteBytes,
      keyringUrl: stage.config.postgres.keyringUrl,
      provider,
      postgres,
    })
    const deps = { postgres, keyring, destroyKey }
    const holdId = randomUUID()
    const untilMs = Date.now() + 86_400_000
    const hold = {
      holdId,
      fields: ['email', 'name'],
      article: 'GDPR Art. 17(3)(e)',
      untilMs,
      placedBy: 'test',
    }
    // What a saga that is started again must know.
    const known = async () => (await createOpenRequest(postgres)({ requestId })).holds
    expect(await known()).toEqual([])
    // Nobody answers for the saga: what Postgres knows is shown.
    const office = {
      postgres,
      audited: (_action: string, _object: string, act: () => Promise<unknown>) => act(),
      erasures: { status: () => Promise.reject(new EbbError('saga_unavailable', 'away')) },
    } as unknown as PrivacyOffice
    const shown = async () => {
      const lines: string[] = []
      await showStatus(office, requestId, { out: undefined, say: (line) => lines.push(line) })
      return lines.filter((line) => line.includes('hold'))
    }
    expect(await shown()).toEqual([])
    await createPlaceHold(deps)({ requestId, ...hold })
    expect(await known()).toEqual([{ holdId, untilMs, released: false }])
    const until = new Date(untilMs).toISOString()
    expect(await shown()).toEqual([`  hold ${holdId}: email, name by GDPR Art. 17(3)(e), until ${until}`])
    expect(await createSealHolds(deps)({ requestId })).toEqual({ holds: [{ holdId, untilMs }] })
    // The person's own copy and key may go: a repeat seals nothing anew.
    await keyring.dropSecrets([person.subjectId])
    await createSealHolds(deps)({ requestId })
    expect(await known()).toEqual([{ holdId, untilMs, released: false }])
    const key = (await readRequestKey(keyring, holdId))!
    expect(await openHold(postgres, { holdId, key })).toEqual([{ email: 'ada@example.com', name: 'Ada' }])

    await createReleaseHold(deps)({ holdId })
    await createReleaseHold(deps)({ holdId })
    expect(await openHold(postgres, { holdId, key })).toBeNull()
    expect(await readRequestKey(keyring, holdId)).toBeNull()
    expect(await createSealHolds(deps)({ requestId })).toEqual({ holds: [] })
    expect(await known()).toEqual([{ holdId, untilMs, released: true }])
    expect(await shown()).toEqual([expect.stringMatching(/17\(3\)\(e\), released 20\d\d-/)])
  })
})

describe('what nobody would ask for again', () => {
  it('is asked for: a late link’s person, and a request whose start was lost', async () => {
    await makePerson(Buffer.alloc(32, 9), {})
    const late = { app: 'shop', at: Date.now() }
    await noteLateLinks(postgres, [
      { ...late, handle: Buffer.alloc(32, 9) },
      { ...late, handle: Buffer.alloc(32, 10) },
    ])
    await postgres.query('test_age', `UPDATE late_links SET noted_at = now() - interval '1 hour'`, [])
    const lost = await submitErasure(
      { postgres, keyring, privacy, now: () => Date.now() - 120_000 },
      { app: 'shop', identifiers: [{ label: 'userId', value: 'lost' }], proof: 'email-code' },
      'test',
    )
    const started: string[] = []
    const client = {
      workflow: {
        start: async (_: string, { args }: { args: [{ requestId: string }] }) =>
          started.push(args[0].requestId),
      },
    } as unknown as Client
    const deps = { postgres, keyring, privacy, now: Date.now, client, taskQueue: 'test', leaseMs: 1_000 }
    expect(await createFollowUpErasures(deps)()).toEqual({ late: 1, started: 2 })
    expect(started).toContain(lost.requestId)
    const own = started.find((requestId) => requestId !== lost.requestId)!
    expect((await readRequest(postgres, own)).requestedBy).toBe('late-link')
    expect((await readSealed({ postgres, keyring }, own)).handles).toEqual(['09'.repeat(32)])
    // Taken once: the next round has only those that never moved.
    expect((await createFollowUpErasures(deps)()).late).toBe(0)
  })
})
