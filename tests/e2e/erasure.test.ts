import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Connection } from '@temporalio/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PlatformErasureActivities } from '../../activities/create-erasure-activities.ts'
import { type WrittenCertificate, writeCertificate } from '../../cli/write-certificate.ts'
import { createPostgres, type TransactingPostgres } from '../../postgres/client.ts'
import { readBatch, writeReceipts } from '../../postgres/erasure-queue.ts'
import { readRequest } from '../../postgres/privacy-requests.ts'
import { listCertificates } from '../../postgres/read-certificates.ts'
import { builtScript } from '../../runtime/project-root.ts'
import type { NewErasure } from '../../schemas/erasure.ts'
import { erasureWorkflowId } from '../../schemas/erasure-messages.ts'
import { type ErasurePlatform, startErasurePlatform } from '../erasure-platform.ts'
import { historyToJson } from '../history-json.ts'

/** How long a request may take to the state that is waited for, on a machine with other things to do. */
const LIMIT_MS = 10 * 60_000
const TEST_LIMIT_MS = 2 * LIMIT_MS
let platform: ErasurePlatform
let folder: string
/** While true, the eraser of events forges its receipt and deletes nothing. */
let lying = false
let receipts: TransactingPostgres

function lie(activities: PlatformErasureActivities): PlatformErasureActivities {
  return {
    ...activities,
    async eraseStore(input) {
      if (!lying || input.store !== 'clickhouse/events') return await activities.eraseStore(input)
      const batch = await readBatch(receipts, input.batchId)
      await writeReceipts(receipts, batch!, {
        store: input.store,
        outcome: 'erased',
        method: 'deleted',
        atMs: Date.now(),
        ids: ['events_raw:mutation_1.txt'],
        evidenceHash: '0'.repeat(64),
      })
      return { outcome: 'erased' }
    },
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-certificates-'))
  platform = await startErasurePlatform({}, lie)
  receipts = createPostgres(platform.stage.config.postgres.url, { connections: 1 })
}, TEST_LIMIT_MS)
afterAll(async () => {
  await receipts?.close()
  await platform?.close()
  await rm(folder, { recursive: true, force: true })
})

const view = (more: Record<string, unknown>) => ({
  type: 'page',
  name: 'Shop',
  messageId: randomUUID(),
  properties: { path: '/catalogue/shoes' },
  ...more,
})
const wishFor = (userId: string): NewErasure => ({
  app: 'shop',
  identifiers: [{ label: 'userId', value: userId }],
  proof: 'email-code',
})
const submit = (userId: string) => platform.office.actions.submit(wishFor(userId), 'test')

/** `ebb verify` as a process that has nothing but files: no address of any engine. */
function verify(files: WrittenCertificate, more: string[] = []) {
  const place = (name: string) => join(files.folder, name)
  const { status, stdout } = spawnSync(
    process.execPath,
    [
      ...[builtScript('cli/ebb.ts'), 'verify', place('certificate.json'), '--key', place('keys.pub')],
      ...['--leaves', place('certificate.leaves'), ...more],
    ],
    { env: { PATH: process.env.PATH, EBB_HOME: join(folder, 'nowhere') }, encoding: 'utf8' },
  )
  return { status, stdout }
}

describe('one erasure through every part', () => {
  it(
    'takes one person out, proves it offline, and leaves the others as they were',
    async () => {
      const email = 'ada.lovelace@example.com'
      await platform.send('shop', [view({ anonymousId: 'phone-ada' }), view({ anonymousId: 'phone-bob' })])
      await platform.send('shop', [
        {
          type: 'identify',
          userId: 'ada-1815',
          anonymousId: 'phone-ada',
          messageId: 'i1',
          traits: { email },
        },
        view({ userId: 'ada-1815' }),
      ])
      await platform.send('learn', [view({ userId: 'ada-1815', type: 'screen', name: 'counting' })])
      const before = await platform.countRows()

      const { requestId, joined } = await submit('ada-1815')
      expect(joined).toBe(false)
      expect(await submit('ada-1815')).toEqual({ requestId, joined: true })
      await platform.until(requestId, ['certified', 'closed'], LIMIT_MS)

      // Two views and the sign-in are hers; bob's, and the namesake of another app, stay.
      const left = await platform.clickhouse.query({
        query: 'SELECT app, event, count() AS n FROM events_raw GROUP BY app, event ORDER BY app',
        format: 'JSONEachRow',
      })
      const rows = (await left.json()) as { app: string; n: string }[]
      expect(rows.map((row) => [row.app, Number(row.n)])).toEqual([
        ['learn', 1],
        ['shop', 1],
      ])
      expect(before).toBeGreaterThan(3)
      const vault = await receipts.query<{ n: number }>(
        'test_vault',
        'SELECT (SELECT count(*) FROM users_pii)::int AS n',
        [],
      )
      expect(vault[0]!.n).toBe(0)

      const files = await writeCertificate(platform.office, requestId, join(folder, 'ada'))
      const { status, stdout } = verify(files)
      expect(stdout).toContain('VALID  certificate')
      expect(status).toBe(0)
      const salt = (await readFile(join(files.folder, 'salt.txt'), 'utf8')).trim()
      expect(verify(files, ['--salt', salt, '--user-id', 'ada-1815']).status).toBe(0)
      expect(verify(files, ['--salt', salt, '--user-id', 'bob']).status).toBe(1)
      const certificate = await readFile(join(files.folder, 'certificate.json'), 'utf8')
      await writeFile(join(files.folder, 'certificate.json'), certificate.replace('"erased"', '"Erased"'))
      expect(verify(files).status).toBe(1)

      const history = await readHistory(requestId)
      for (const name of ['ada-1815', email, 'phone-ada', salt]) expect(history).not.toContain(name)
    },
    TEST_LIMIT_MS,
  )

  it(
    'says the same of a person whom nobody knows',
    async () => {
      const { requestId, joined } = await submit('nobody-at-all')
      expect(joined).toBe(false)
      await platform.until(requestId, ['certified', 'closed'], LIMIT_MS)
      expect(verify(await writeCertificate(platform.office, requestId, join(folder, 'nobody'))).status).toBe(
        0,
      )
    },
    TEST_LIMIT_MS,
  )

  it(
    'gives no certificate while an eraser lies, and goes on when it does not',
    async () => {
      await platform.send('shop', [view({ userId: 'eve' })])
      lying = true
      const { requestId } = await submit('eve')
      await platform.until(requestId, ['stuck'], LIMIT_MS)
      expect(await readRequest(platform.office.postgres, requestId)).toMatchObject({
        stuckStore: expect.stringMatching(/^clickhouse\//),
        certifiedAt: null,
      })
      const issued = await listCertificates(platform.office.postgres, requestId)
      expect(issued.map((one) => one.kind)).toEqual(['received'])
      await alerted('erasure_survivors')
      lying = false
      await platform.office.actions.retryStore(requestId).catch(() => undefined)
      await platform.until(requestId, ['certified', 'closed'], LIMIT_MS)
    },
    TEST_LIMIT_MS,
  )

  it(
    'is closed when the last copy is gone, and its own key with it',
    async () => {
      const { requestId } = await submit('nobody-else')
      await platform.until(requestId, ['closed'], LIMIT_MS)
      const files = await writeCertificate(platform.office, requestId, join(folder, 'closed'))
      expect(files.kind).toBe('closed')
      expect(verify(files).stdout).toContain('VALID  closed')
      expect(await platform.office.keyring.readSecrets([requestId])).toEqual(new Map())
    },
    TEST_LIMIT_MS,
  )
})

async function alerted(kind: string): Promise<void> {
  for (let waited = 0; waited < 120_000; waited += 200) {
    const text = await readFile(join(platform.reportsFolder, 'alerts.jsonl'), 'utf8').catch(() => '')
    if (text.includes(kind)) return
    await sleep(200)
  }
  throw new Error(`nobody was told of ${kind}`)
}

async function readHistory(requestId: string): Promise<string> {
  const { address, namespace } = platform.stage.config.temporal
  const connection = await Connection.connect({ address })
  const handle = new Client({ connection, namespace }).workflow.getHandle(erasureWorkflowId(requestId))
  const history = await handle.fetchHistory()
  await connection.close()
  // Payloads are base64 in a history.
  const json = historyToJson(history)
  return json.replace(/"data":"([^"]*)"/g, (_, data) => Buffer.from(data, 'base64').toString())
}
