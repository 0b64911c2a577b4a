import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CloseDeps, createCancelRequest, createCloseRequest } from '../../activities/close-request.ts'
import { createKeyDestroyer } from '../../activities/destroy-secrets.ts'
import { createPlaceHold, createReleaseHold, createSealHolds } from '../../activities/hold-fields.ts'
import { createJournalSealer } from '../../activities/journal-sealer.ts'
import { createLiftBlock } from '../../activities/lift-block.ts'
import { createOpenRequest } from '../../activities/open-request.ts'
import { publishBlock } from '../../activities/publish-block.ts'
import { createWithdrawStates } from '../../activities/withdraw-states.ts'
import { createWriteJournal, type WriteJournalDeps } from '../../activities/write-journal.ts'
import { acceptEnding } from '../../postgres/accept-ending.ts'
import { createApp } from '../../postgres/apps.ts'
import { createPostgres, type TransactingPostgres } from '../../postgres/client.ts'
import { openHold } from '../../postgres/legal-holds.ts'
import { openKeyProvider } from '../../postgres/open-key-provider.ts'
import { handlesOf, readRequest, setState } from '../../postgres/privacy-requests.ts'
import { readRequestKey } from '../../postgres/request-keys.ts'
import { createSubjectResolver } from '../../postgres/resolve-subjects.ts'
import { writeProfile } from '../../postgres/users-pii.ts'
import { createS3, type S3 } from '../../s3/client.ts'
import type { JournalSealer } from '../../s3/journal.ts'
import { listJournal } from '../../s3/journal.ts'
import { createEdgeErasure, type EdgeErasure } from '../edge-erasure.ts'
import { createStage, type Stage } from '../stage.ts'

// How a request ends when a run of its saga was terminated before, or is terminated in the midst of it.
let stage: Stage
let edge: EdgeErasure
let postgres: TransactingPostgres
let s3: S3
let sealer: JournalSealer
let deps: CloseDeps & { withdrawBlock(requestId: string): Promise<void> }
beforeAll(async () => {
  stage = await createStage()
  edge = await createEdgeErasure(stage)
  postgres = createPostgres(stage.config.postgres.url, { timeoutMs: 60_000 })
  const provider = await openKeyProvider(stage.config)
  sealer = createJournalSealer(provider)
  const destroyKey = createKeyDestroyer({
    largestRewriteBytes: stage.config.privacy.largestRewriteBytes,
    keyringUrl: stage.config.postgres.keyringUrl,
    provider,
    postgres,
  })
  s3 = createS3(stage.config)
  deps = { ...edge.deps, keyring: edge.keyring, postgres, s3, destroyKey, withdrawBlock: edge.withdraw }
  await createApp(postgres, { app: 'shop' })
})
afterAll(async () => {
  s3?.close()
  await Promise.all([edge?.close(), postgres?.close()])
  await stage?.close()
})

/** Somebody with an e-mail address in the vault, who is blocked. */
async function makePerson() {
  const identifiers = [{ label: 'userId' as const, value: randomUUID() }]
  const handles = handlesOf(await edge.keyring.appLookupKey('shop'), identifiers)
  const appear = async () => {
    await createSubjectResolver({ postgres, keyring: edge.keyring }).resolve(handles, 'shop')
    const rows = await postgres.query<{ subject_id: string }>(
      'test_subject_of',
      'SELECT subject_id FROM subjects WHERE handle = ANY($1::bytea[])',
      [handles],
    )
    return rows[0]!.subject_id
  }
  const subjectId = await appear()
  const secret = (await edge.keyring.readSecrets([subjectId])).get(subjectId)!
  const personal = { email: 'ada@example.com' }
  await writeProfile({ postgres }, { subjectId, app: 'shop', key: { secret }, personal, public: {} })
  return { requestId: await edge.block('shop', identifiers), subjectId, appear }
}

/** Ends in the midst of forgetting something. */
const dying = () => ({ ...deps, destroyKey: () => Promise.reject(new Error('the power goes')) })

describe('a request that is cancelled', () => {
  it('takes with it what an earlier run has sealed under its holds, with their keys', async () => {
    const { requestId } = await makePerson()
    const hold = { fields: ['email'], article: 'GDPR Art. 17(3)(e)', untilMs: Date.now() + 86_400_000 }
    const [standing, released] = [randomUUID(), randomUUID()]
    for (const holdId of [standing, released])
      await createPlaceHold(deps)({ requestId, holdId, ...hold, placedBy: 'test' })
    await createSealHolds(deps)({ requestId })
    const key = (await readRequestKey(edge.keyring, standing))!
    expect(await openHold(postgres, { holdId: standing, key })).toEqual([{ email: 'ada@example.com' }])
    // Released in a run that ended before the key was destroyed.
    await expect(createReleaseHold(dying())({ holdId: released })).rejects.toThrow('the power')
    expect(await readRequestKey(edge.keyring, released)).not.toBeNull()

    await createCancelRequest(deps)({ requestId, outcome: 'cancelled' })
    expect(await openHold(postgres, { holdId: standing, key })).toBeNull()
    for (const id of [standing, released, requestId])
      expect(await readRequestKey(edge.keyring, id)).toBeNull()
    expect((await readRequest(postgres, requestId)).state).toBe('cancelled')
  })
})

const open = (requestId: string) => createOpenRequest(postgres)({ requestId })

describe("an officer's word that a request ends", () => {
  it('is known to the next run, and of two the first stands', async () => {
    const { requestId } = await makePerson()
    expect((await open(requestId)).accepted).toBeUndefined()
    const refused = {
      outcome: 'refused',
      article: 'GDPR Art. 12(6)',
      reason: 'identity-not-proven',
    } as const
    expect(await acceptEnding(postgres, requestId, refused)).toEqual(refused)
    expect(await acceptEnding(postgres, requestId, { outcome: 'cancelled' })).toEqual(refused)
    expect(await open(requestId)).toMatchObject({ accepted: refused, onlyForward: false })
    expect((await open(requestId)).ending).toBeUndefined()
  })

  it('comes to nothing once the journal was begun', async () => {
    const { requestId } = await makePerson()
    await setState(postgres, requestId, 'erasing')
    expect(await acceptEnding(postgres, requestId, { outcome: 'cancelled' })).toBeNull()
    expect((await open(requestId)).accepted).toBeUndefined()
  })
})

describe('a request whose saga is terminated while it forgets it', () => {
  it.each(['cancelled', 'refused'] as const)(
    'is known as %s to the next run, which ends it',
    async (outcome) => {
      const { requestId } = await makePerson()
      expect((await open(requestId)).ending).toBeUndefined()
      const wish = { requestId, outcome, ...(outcome === 'refused' && { article: 'GDPR Art. 12(6)' }) }
      await expect(createCancelRequest(dying())(wish)).rejects.toThrow('the power')

      const { ending, onlyForward } = await open(requestId)
      expect({ requestId, ...ending }).toEqual(wish)
      expect(onlyForward).toBe(true)
      await createCancelRequest(deps)(wish)
      expect(await readRequest(postgres, requestId)).toMatchObject({
        state: outcome,
        article: wish.article ?? null,
      })
      expect(await readRequestKey(edge.keyring, requestId)).toBeNull()
      expect((await open(requestId)).ending?.outcome).toBe(outcome)
    },
  )

  it('is closed by the next run when it was certified', async () => {
    const { requestId } = await makePerson()
    await edge.destroy(requestId)
    await setState(postgres, requestId, 'certified')
    expect((await open(requestId)).ending).toBeUndefined()
    await expect(createCloseRequest(dying())({ requestId })).rejects.toThrow('the power')

    expect((await open(requestId)).ending).toEqual({ outcome: 'closed' })
    await createCloseRequest(deps)({ requestId })
    expect((await readRequest(postgres, requestId)).state).toBe('closed')
    expect(await readRequestKey(edge.keyring, requestId)).toBeNull()
  })
})

describe('an attempt of a terminated run to write the journal, of a request that the next run cancels', () => {
  const cancel = (requestId: string) => createCancelRequest(deps)({ requestId, outcome: 'cancelled' })
  const write = (requestId: string, more: Partial<WriteJournalDeps>) =>
    createWriteJournal({ ...deps, sealer, now: Date.now, ...more })({ requestId })

  it('writes nothing when it wakes with what it has read', async () => {
    const { requestId } = await makePerson()
    const keyring = {
      async readSecrets(ids: string[]) {
        const secrets = await edge.keyring.readSecrets(ids)
        await cancel(requestId)
        return secrets
      },
    }
    const failing = { ...sealer, seal: () => Promise.reject(new Error('an entry was made')) }
    const late = write(requestId, { keyring, sealer: failing })
    await expect(late).rejects.toMatchObject({ code: 'request_unknown' })
    expect(await listJournal(s3)).not.toContain(requestId)
  })

  it('leaves nothing when it wakes with the entry in its hand', async () => {
    const { requestId } = await makePerson()
    const paused: JournalSealer = {
      ...sealer,
      async seal(plaintext, context) {
        await cancel(requestId)
        return sealer.seal(plaintext, context)
      },
    }
    await expect(write(requestId, { sealer: paused })).rejects.toMatchObject({ code: 'request_unknown' })
    expect(await listJournal(s3)).not.toContain(requestId)
  })

  it('leaves nothing when it was faster', async () => {
    const { requestId } = await makePerson()
    await write(requestId, {})
    expect(await listJournal(s3)).toContain(requestId)
    await cancel(requestId)
    expect(await listJournal(s3)).not.toContain(requestId)
  })
})

describe('a saga that is started again after the block was lifted', () => {
  /** Publishers that also write down that they were asked. */
  const listen = () => {
    const said: string[] = []
    const { states, revocations } = edge.deps
    const deps = {
      ...edge.deps,
      states: {
        ...states,
        publish: (...args: Parameters<typeof states.publish>) => {
          said.push(args[2].s)
          return states.publish(...args)
        },
      },
      revocations: {
        ...revocations,
        publishAll: (...args: Parameters<typeof revocations.publishAll>) => {
          said.push('revoked')
          return revocations.publishAll(...args)
        },
      },
    }
    return { said, deps }
  }
  const blocksOf = (requestId: string) =>
    postgres.query('test_blocks', 'SELECT 1 FROM subject_blocks WHERE request_id = $1', [requestId])

  it('leaves alone who has returned under the same id', async () => {
    const { requestId, subjectId, appear } = await makePerson()
    const block = (await readRequest(postgres, requestId)).progress.block
    await edge.destroy(requestId)
    await edge.lift(requestId)
    const returned = await appear()
    expect(returned).not.toBe(subjectId)

    const { said, deps } = listen()
    expect(await publishBlock(deps, requestId)).toEqual(block)
    expect((await edge.sealed(requestId)).subjects.map((one) => one.subjectId)).toEqual([subjectId])
    expect(await blocksOf(requestId)).toEqual([])
    expect(said).toEqual([])
    // Between the lifting and the note of the certificate, too.
    await setState(postgres, requestId, 'certified')
    await publishBlock(deps, requestId)
    expect(said).toEqual([])
  })

  it('publishes nothing any more once what was kept against late batches is withdrawn', async () => {
    const { requestId } = await makePerson()
    await edge.destroy(requestId)
    await edge.lift(requestId)
    await setState(postgres, requestId, 'certified')
    const { said, deps } = listen()
    const lift = createLiftBlock({ ...deps, suppressMs: undefined })
    await lift({ requestId })
    expect(said).toEqual(['cutoff'])
    await createWithdrawStates({ ...edge.deps, keyring: edge.keyring })({ requestId })

    await publishBlock(deps, requestId)
    await lift({ requestId })
    expect(said).toEqual(['cutoff'])
  })
})
