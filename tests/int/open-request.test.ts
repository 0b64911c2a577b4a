import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createJournalSealer } from '../../activities/journal-sealer.ts'
import { createOpenRequest } from '../../activities/open-request.ts'
import { createWriteJournal } from '../../activities/write-journal.ts'
import { createApp } from '../../postgres/apps.ts'
import { createPostgres, type TransactingPostgres } from '../../postgres/client.ts'
import type { KeyProvider } from '../../postgres/key-provider.ts'
import { type Keyring, openKeyring } from '../../postgres/keyring.ts'
import { createHold, readStandingHolds } from '../../postgres/legal-holds.ts'
import { noteRelease } from '../../postgres/note-release.ts'
import { openKeyProvider } from '../../postgres/open-key-provider.ts'
import { readRequest, setState, submitErasure } from '../../postgres/privacy-requests.ts'
import { createS3, type S3 } from '../../s3/client.ts'
import { listJournal } from '../../s3/journal.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let postgres: TransactingPostgres
let keyrings: TransactingPostgres
let keyring: Keyring
let provider: KeyProvider
let s3: S3
beforeAll(async () => {
  stage = await createStage()
  postgres = createPostgres(stage.config.postgres.url)
  keyrings = createPostgres(stage.config.postgres.keyringUrl)
  provider = await openKeyProvider(stage.config)
  keyring = await openKeyring(keyrings, provider)
  s3 = createS3(stage.config)
  await createApp(postgres, { app: 'shop' })
})
afterAll(async () => {
  s3?.close()
  await Promise.all([postgres?.close(), keyrings?.close()])
  await stage?.close()
})

const submit = (userId: string) =>
  submitErasure(
    { postgres, keyring, privacy: { graceMs: 0, dueMs: 60_000 }, now: Date.now },
    { app: 'shop', identifiers: [{ label: 'userId', value: userId }], proof: 'email-code' },
    'test',
  )

// A saga that somebody terminated is started again for the same request, and reads it as its first step.
test('a hold whose release is written down counts as released for a second run, though it has not ended', async () => {
  const { requestId } = await submit('grace')
  const [one, other] = [randomUUID(), randomUUID()]
  const wish = {
    fields: ['email'],
    article: 'GDPR Art. 17(3)(e)',
    untilMs: Date.now() + 60_000,
    placedBy: 'test',
  }
  for (const holdId of [one, other]) await createHold(postgres, requestId, { holdId, ...wish })
  for (let times = 0; times < 2; times++) await noteRelease(postgres, requestId, one)
  const { holds } = await createOpenRequest(postgres)({ requestId })
  expect(new Map(holds?.map(({ holdId, released }) => [holdId, released]))).toEqual(
    new Map([
      [one, true],
      [other, false],
    ]),
  )
  expect((await readRequest(postgres, requestId)).progress).toMatchObject({ released: [one] })
  expect((await readStandingHolds(postgres, requestId)).map(({ holdId }) => holdId).toSorted()).toEqual(
    [one, other].toSorted(),
  )
})

test('a request can be taken back until the journal is begun, and never again, whatever a second run says first', async () => {
  const { requestId } = await submit('ada')
  const onlyForward = async () => (await createOpenRequest(postgres)({ requestId })).onlyForward
  expect(await onlyForward()).toBe(false)
  await setState(postgres, requestId, 'blocked')
  expect(await onlyForward()).toBe(false)

  // Begun: whether the entry came to the bucket, nobody can tell who finds the saga dead.
  const sealer = createJournalSealer(provider)
  const failing = { ...sealer, seal: () => Promise.reject(new Error('the power goes')) }
  const deps = { postgres, keyring, s3, now: Date.now }
  await expect(createWriteJournal({ ...deps, sealer: failing })({ requestId })).rejects.toThrow('the power')
  expect(await listJournal(s3)).toEqual([])
  expect(await onlyForward()).toBe(true)
  await createWriteJournal({ ...deps, sealer })({ requestId })
  expect(await listJournal(s3)).toEqual([requestId])

  for (const state of ['stuck', 'held', 'certified'] as const) {
    await setState(postgres, requestId, state)
    await setState(postgres, requestId, 'blocked')
    expect(await onlyForward()).toBe(true)
    expect((await readRequest(postgres, requestId)).state).toBe(state)
  }
})
