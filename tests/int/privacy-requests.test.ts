import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hashEvidence } from '../../activities/erase-clickhouse.ts'
import { createVaultEraser } from '../../activities/erase-vault.ts'
import { createApp } from '../../postgres/apps.ts'
import { createPostgres, type TransactingPostgres } from '../../postgres/client.ts'
import { closeRow } from '../../postgres/close-request.ts'
import {
  claimBatch,
  enqueueRequests,
  finishBatch,
  noteUnreachable,
  readBatch,
  readReceipts,
  writeReceipts,
} from '../../postgres/erasure-queue.ts'
import { readTargets } from '../../postgres/erasure-targets.ts'
import { type Keyring, openKeyring } from '../../postgres/keyring.ts'
import { openKeyProvider } from '../../postgres/open-key-provider.ts'
import {
  listRequests,
  readRequest,
  readSealed,
  setState,
  submitErasure,
  writeSealed,
} from '../../postgres/privacy-requests.ts'
import type { ErasureStage, NewErasure, StoreReceipt } from '../../schemas/erasure.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let postgres: TransactingPostgres
let keyrings: TransactingPostgres
let keyring: Keyring
beforeAll(async () => {
  stage = await createStage()
  postgres = createPostgres(stage.config.postgres.url, { connections: 8, timeoutMs: 60_000 })
  keyrings = createPostgres(stage.config.postgres.keyringUrl, { timeoutMs: 60_000 })
  keyring = await openKeyring(keyrings, await openKeyProvider(stage.config))
  await createApp(postgres, { app: 'shop' })
  await createApp(postgres, { app: 'learn' })
})
afterAll(async () => {
  await Promise.all([postgres?.close(), keyrings?.close()])
  await stage?.close()
})

const wishOf = (userId: string, more: Partial<NewErasure> = {}): NewErasure => ({
  app: 'shop',
  identifiers: [{ label: 'userId', value: userId }],
  proof: 'email-code',
  ...more,
})
const submit = (wish: NewErasure) =>
  submitErasure(
    { postgres, keyring, privacy: { graceMs: 1_000, dueMs: 60_000 }, now: Date.now },
    wish,
    'test',
  )
const ask = async <Row extends Record<string, unknown>>(text: string, values: unknown[] = []) =>
  await postgres.query<Row>(`test_${hashEvidence(text).slice(0, 16)}`, text, values)

describe('a request', () => {
  it('stands sealed, and opens with its own key only', async () => {
    const { requestId, joined } = await submit(wishOf('lovelace'))
    expect(joined).toBe(false)
    const sealed = await readSealed({ postgres, keyring }, requestId)
    expect(sealed.identifiers).toEqual([{ label: 'userId', value: 'lovelace' }])
    expect(sealed.handles).toHaveLength(1)
    expect(sealed.salt).toMatch(/^[0-9a-f]{64}$/)
    const [row] = await ask<{ text: string }>('SELECT privacy_requests::text AS text FROM privacy_requests')
    expect(row!.text).not.toContain('lovelace')
    const other = await submit(wishOf('eve'))
    await ask(
      `UPDATE privacy_requests SET sealed = (SELECT sealed FROM privacy_requests WHERE request_id = $1)
       WHERE request_id = $2`,
      [requestId, other.requestId],
    )
    await expect(readSealed({ postgres, keyring }, other.requestId)).rejects.toThrow()
  })

  it('is joined by a duplicate, also by twenty at once, and only one key is left', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => submit(wishOf('bob'))))
    expect(new Set(all.map((one) => one.requestId)).size).toBe(1)
    expect(all.filter((one) => !one.joined)).toHaveLength(1)
    const secrets = await keyrings.query<{ n: number }>(
      'count',
      'SELECT count(*)::int AS n FROM subject_secrets',
      [],
    )
    const requests = await ask<{ n: number }>('SELECT count(*)::int AS n FROM privacy_requests')
    expect(secrets[0]!.n).toBe(requests[0]!.n)
  })

  it('is not joined by one that names somebody more, or from another app', async () => {
    const first = await submit(wishOf('carl'))
    const more = wishOf('carl')
    more.identifiers.push({ label: 'anonymousId', value: 'phone-1' })
    expect((await submit(more)).joined).toBe(false)
    expect((await submit(wishOf('carl', { app: 'learn' }))).joined).toBe(false)
    expect(await submit(wishOf('carl'))).toEqual({ requestId: first.requestId, joined: true })
  })

  it('is not joined any more once its certificate is out', async () => {
    const first = await submit(wishOf('dora'))
    await setState(postgres, first.requestId, 'certified')
    expect((await submit(wishOf('dora'))).requestId).not.toBe(first.requestId)
  })

  it('looks nobody up: an address is tried as it is and in lower case', async () => {
    const { requestId } = await submit(
      wishOf('', { identifiers: [{ label: 'email', value: 'Ada@Example.com' }] }),
    )
    expect((await readSealed({ postgres, keyring }, requestId)).handles).toHaveLength(2)
  })

  it('of an app that is not there, or of an id that no event can carry, is refused by code', async () => {
    await expect(submit(wishOf('ada', { app: 'nope' }))).rejects.toMatchObject({ code: 'app_unknown' })
    await expect(submit(wishOf('a\ud800b'))).rejects.toMatchObject({ code: 'identifier_invalid' })
  })

  it('moves on, and an ending is final', async () => {
    const { requestId } = await submit(wishOf('emil'))
    await setState(postgres, requestId, 'stuck', { store: 's3/archive' })
    expect(await readRequest(postgres, requestId)).toMatchObject({ state: 'stuck', stuckStore: 's3/archive' })
    await closeRow(postgres, requestId, { outcome: 'refused', article: 'GDPR Art. 12(6)' })
    await setState(postgres, requestId, 'erasing')
    expect(await readRequest(postgres, requestId)).toMatchObject({
      state: 'refused',
      stuckStore: null,
      article: 'GDPR Art. 12(6)',
    })
    await expect(readSealed({ postgres, keyring }, requestId)).rejects.toMatchObject({
      code: 'request_unknown',
    })
    const refused = await listRequests(postgres, { states: ['refused'], apps: ['shop'] })
    expect(refused.map((one) => one.requestId)).toContain(requestId)
  })
})

describe('the queue', () => {
  it('gives a batch again, whole, until it is finished, and takes newcomers into the next', async () => {
    const ids = await Promise.all(['q1', 'q2', 'q3'].map(async (id) => (await submit(wishOf(id))).requestId))
    await enqueueRequests(postgres, ids.slice(0, 2), 'erase')
    const first = await claimBatch(postgres, 'erase', 10)
    expect(first!.requestIds).toEqual(ids.slice(0, 2).sort())
    await enqueueRequests(postgres, ids, 'erase')
    expect(await claimBatch(postgres, 'erase', 10)).toEqual(first)
    expect(await claimBatch(postgres, 'destroy', 10)).toBeNull()
    await finishBatch(postgres, first!.batchId)
    expect((await claimBatch(postgres, 'erase', 10))!.requestIds).toEqual([ids[2]])
  })

  it('takes at most as many as asked for, the oldest first, and one that was done goes in again', async () => {
    const left = await claimBatch(postgres, 'erase', 10)
    await finishBatch(postgres, left!.batchId)
    const ids: string[] = []
    for (const id of ['r1', 'r2', 'r3']) {
      const { requestId } = await submit(wishOf(id))
      await enqueueRequests(postgres, [requestId], 'erase')
      ids.push(requestId)
    }
    const first = await claimBatch(postgres, 'erase', 2)
    expect(first!.requestIds).toEqual(ids.slice(0, 2).sort())
    await finishBatch(postgres, first!.batchId)
    await enqueueRequests(postgres, ids.slice(0, 1), 'erase')
    expect((await claimBatch(postgres, 'erase', 10))!.requestIds).toEqual([ids[0], ids[2]].sort())
  })

  it('keeps one receipt for each request and store, the latest', async () => {
    const batchId = randomUUID()
    const [{ requestId }] = [await submit(wishOf('receipted'))]
    const receipt = {
      store: 's3/archive',
      outcome: 'erased',
      method: 'rewritten',
      atMs: Date.parse('2026-11-20T10:00:00Z'),
      ids: ['x@1'],
      evidenceHash: 'a'.repeat(64),
    } as const
    await writeReceipts(postgres, { batchId, requestIds: [requestId] }, { ...receipt, ids: [] })
    await writeReceipts(postgres, { batchId, requestIds: [requestId] }, { ...receipt, ids: ['x@1'] })
    expect(await readReceipts(postgres, requestId)).toEqual([receipt])
    expect(await readBatch(postgres, batchId)).toBeNull()
  })
})

describe('a store out of reach', () => {
  const STORES = ['clickhouse/events', 's3/archive']
  const erased = (): StoreReceipt => ({
    store: 's3/archive',
    outcome: 'erased',
    method: 'rewritten',
    atMs: Date.now(),
    ids: ['x@1'],
    evidenceHash: 'a'.repeat(64),
  })
  const outcomes = async (requestId: string) =>
    (await readReceipts(postgres, requestId)).map(({ store, outcome }) => [store, outcome])
  const finishAll = async (stage: ErasureStage) => {
    for (let open = await claimBatch(postgres, stage, 10); open; open = await claimBatch(postgres, stage, 10))
      await finishBatch(postgres, open.batchId)
  }
  const openBatch = async (requestIds: string[], stage: ErasureStage = 'erase') => {
    await finishAll(stage)
    await enqueueRequests(postgres, requestIds, stage)
    return (await claimBatch(postgres, stage, 10))!
  }
  const submitted = async (...users: string[]) =>
    (await Promise.all(users.map((id) => submit(wishOf(id))))).map(({ requestId }) => requestId)

  it('is noted since it was given up first, until an erasure takes the note away', async () => {
    const requestIds = await submitted('away-1', 'away-2')
    const note = async (stores = STORES) =>
      noteUnreachable(postgres, (await openBatch(requestIds)).batchId, stores)
    const read = () => readReceipts(postgres, requestIds[1]!)
    await note([])
    expect(await read()).toEqual([])
    await note()
    const first = await read()
    expect(first.map(({ store, outcome }) => [store, outcome])).toEqual(
      STORES.map((store) => [store, 'unreachable']),
    )
    await note()
    expect(await read()).toEqual(first)

    const receipt = erased()
    await writeReceipts(postgres, await openBatch(requestIds), receipt)
    expect(await read()).toEqual([first[0], receipt])
    // Away again: since now, and what was erased before is no answer.
    await note()
    const [events, archive] = await read()
    expect(events).toEqual(first[0])
    expect(archive).toMatchObject({ outcome: 'unreachable', ids: [], evidenceHash: '' })
    expect(archive!.atMs).toBeGreaterThan(first[1]!.atMs)
  })

  it('is noted by an open batch alone: an attempt that comes late takes no newer receipt away', async () => {
    const [alone, other] = await submitted('late-1', 'late-2')
    const first = await openBatch([alone!, other!])
    await finishBatch(postgres, first.batchId)
    // One of the two stands in line again, and its store is erased; the other one is told and done.
    const second = await openBatch([alone!])
    await writeReceipts(postgres, second, erased())
    await noteUnreachable(postgres, first.batchId, STORES)
    expect(await outcomes(alone!)).toEqual([['s3/archive', 'erased']])
    expect(await outcomes(other!)).toEqual([])
    await finishBatch(postgres, second.batchId)
    await noteUnreachable(postgres, second.batchId, STORES)
    expect(await outcomes(alone!)).toEqual([['s3/archive', 'erased']])
  })

  it('that began while its batch was open, and waited until it was not, is late too', async () => {
    const [who] = await submitted('late-3')
    const { batchId } = await openBatch([who!])
    let late: Promise<void> = Promise.resolve()
    await postgres.transaction(async (within) => {
      await finishBatch(within, batchId)
      late = noteUnreachable(postgres, batchId, STORES)
      const waiting = `SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO erasure_receipts%'`
      await expect.poll(async () => (await ask<{ n: number }>(waiting))[0]!.n, { timeout: 30_000 }).toBe(1)
    })
    await late
    expect(await outcomes(who!)).toEqual([])
  })

  it('is not noted of the destruction of keys, which no receipt of a store is about', async () => {
    const [who] = await submitted('keys-1')
    const { batchId } = await openBatch([who!], 'destroy')
    await noteUnreachable(postgres, batchId, ['keyring'])
    expect(await outcomes(who!)).toEqual([])
  })
})

describe('the vault', () => {
  const people = async (n: number) => {
    const made = await keyring.createSecrets(Array.from({ length: n }, () => randomUUID()))
    for (const [index, { subjectId }] of made.entries()) {
      await ask('INSERT INTO subjects (handle, app, subject_id) VALUES ($1, $2, $3)', [
        Buffer.from(subjectId.replaceAll('-', '').repeat(2), 'hex'),
        'shop',
        subjectId,
      ])
      await ask(`INSERT INTO users_public (subject_id, app, traits) VALUES ($1, 'shop', $2)`, [
        subjectId,
        JSON.stringify({ plan: `CANARY-${index}-${subjectId}` }),
      ])
      await ask(`INSERT INTO users_pii (subject_id, field, sealed) VALUES ($1, 'email', '\\x00')`, [
        subjectId,
      ])
      await ask(`INSERT INTO contacts (subject_id, field, contact_hash) VALUES ($1, 'email', $2)`, [
        subjectId,
        randomBytes(32),
      ])
    }
    return made.map((one) => one.subjectId)
  }

  const untilWriting = async () => {
    const keyringDatabase = new URL(stage.config.postgres.keyringUrl).pathname.slice(1)
    const isWriting = async () =>
      await ask('SELECT FROM pg_stat_activity WHERE datname = $1 AND backend_xid IS NOT NULL', [
        keyringDatabase,
      ])
    while ((await isWriting()).length === 0) await sleep(10)
  }

  const vaultEraser = (largestRewriteBytes = 1_000_000) =>
    createVaultEraser({ postgres, largestRewriteBytes, now: () => 1 })

  it('loses the erased people’s rows and keeps the others’, in new files', async () => {
    const [erased, linked, bystander] = await people(3)
    for (const [from, to] of [
      [erased, linked],
      [bystander, erased],
      [linked, bystander],
    ]) {
      await ask(
        `INSERT INTO subject_links (app, from_subject, to_subject, kind, asserted) VALUES ('shop', $1, $2, 'alias', true)`,
        [from, to],
      )
    }
    const target = { requestId: randomUUID(), app: 'shop', tokens: [], subjectIds: [erased!], handles: [] }
    const eraser = vaultEraser()
    const receipt = await eraser.erase({ batchId: randomUUID(), targets: [target] })
    expect(receipt).toMatchObject({ store: 'postgres/vault', outcome: 'erased', method: 'deleted' })
    expect(receipt.ids).toHaveLength(6)
    for (const id of receipt.ids) {
      const [, before, after] = /file (\d+) rewritten as (\d+)/.exec(id)!
      expect(after).not.toBe(before)
    }
    for (const table of ['subjects', 'users_pii', 'users_public', 'contacts']) {
      const rows = await ask<{ subject_id: string }>(`SELECT subject_id FROM ${table} ORDER BY subject_id`)
      expect(rows.map((row) => row.subject_id)).toEqual([linked, bystander].sort())
    }
    expect(await ask('SELECT from_subject FROM subject_links')).toEqual([{ from_subject: linked }])
    const again = await eraser.erase({ batchId: randomUUID(), targets: [target] })
    expect(again.method).toBe('nothing-held')
  })

  it('loses them from a table that is too large to be rewritten, too, and the receipt does not say that it was', async () => {
    const [erased] = await people(1)
    const target = { requestId: randomUUID(), app: 'shop', tokens: [], subjectIds: [erased!], handles: [] }
    const receipt = await vaultEraser(0).erase({ batchId: randomUUID(), targets: [target] })
    const subjects = receipt.ids.find((id) => id.startsWith('subjects: '))
    expect(subjects).toMatch(/^subjects: file \d+ vacuumed, not rewritten$/)
    expect(await ask('SELECT FROM subjects WHERE subject_id = $1', [erased])).toEqual([])
  })

  it('leaves no byte of an erased row in its files, also while somebody reads', async () => {
    const [erased] = await people(1)
    const reading = postgres.transaction(async (within) => {
      await within.query('test_snapshot', 'SELECT count(*) FROM users_public, pg_sleep(2)', [])
    })
    const target = { requestId: randomUUID(), app: 'shop', tokens: [], subjectIds: [erased!], handles: [] }
    await vaultEraser().erase({ batchId: randomUUID(), targets: [target] })
    await reading
    const [file] = await ask<{ bytes: Buffer }>(
      `SELECT pg_read_binary_file(pg_relation_filepath('users_public')) AS bytes`,
    )
    expect(file!.bytes.includes(`CANARY-0-${erased}`)).toBe(false)
  })

  it('leaves no byte of an erased row in its files, also while somebody writes in another database', async () => {
    const [erased] = await people(1)
    // A transaction that is older than the deletion: VACUUM FULL of any database sees what it may see.
    const writing = keyrings.transaction(async (within) => {
      await within.query('test_writer', 'SELECT pg_current_xact_id(), pg_sleep(2)', [])
    })
    await untilWriting()
    const target = { requestId: randomUUID(), app: 'shop', tokens: [], subjectIds: [erased!], handles: [] }
    await vaultEraser().erase({ batchId: randomUUID(), targets: [target] })
    await writing
    const [file] = await ask<{ bytes: Buffer }>(
      `SELECT pg_read_binary_file(pg_relation_filepath('users_public')) AS bytes`,
    )
    expect(file!.bytes.includes(`CANARY-0-${erased}`)).toBe(false)
  })

  it('is told about by the sealed rows of a batch', async () => {
    const { requestId } = await submit(wishOf('fred'))
    const sealed = await readSealed({ postgres, keyring }, requestId)
    const subject = { subjectId: randomUUID(), handle: '11'.repeat(32), token: '22'.repeat(16) }
    await writeSealed({ postgres, keyring }, requestId, { ...sealed, subjects: [subject] })
    const [target] = await readTargets({ postgres, keyring }, [requestId, randomUUID()])
    expect(target).toEqual({
      requestId,
      app: 'shop',
      tokens: [Buffer.alloc(16, 0x22)],
      subjectIds: [subject.subjectId],
      handles: [Buffer.from(sealed.handles[0]!, 'hex'), Buffer.alloc(32, 0x11)],
    })
  })
})
