import { spawnSync } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readGdprMonth } from '../../postgres/read-gdpr-month.ts'
import { builtScript } from '../../runtime/project-root.ts'
import { createGatewayStage, type GatewayStage, readAudit } from '../gateway-stage.ts'

let gateway: GatewayStage
let rows = 0
beforeAll(async () => {
  gateway = await createGatewayStage()
})
afterAll(() => gateway?.close())

interface Seed {
  app?: string
  state: string
  received: string
  certified?: string
  closed?: string
  due?: string
  article?: string
  subjects?: number
}

async function seed(one: Seed): Promise<string> {
  const requestId = randomUUID()
  await gateway.postgres.query(
    'seed_request',
    `INSERT INTO privacy_requests (request_id, app, kind, state, proof, requested_by, blinds, received_at, grace_until,
       due_at, certified_at, closed_at, article, progress)
     VALUES ($1, $2, 'erasure', $3, 'email-code', 'cli:x', '{}', $4, $4, $5, $6, $7, $8, $9)`,
    [
      requestId,
      one.app ?? 'shop',
      one.state,
      one.received,
      one.due ?? '2030-01-01T00:00:00Z',
      one.certified ?? null,
      one.closed ?? null,
      one.article ?? null,
      JSON.stringify(one.subjects === undefined ? {} : { subjects: one.subjects }),
    ],
  )
  return requestId
}

async function issue(requestId: string, kind: string, at: string): Promise<void> {
  await gateway.postgres.query(
    'seed_certificate',
    `INSERT INTO certificates (digest, request_id, kind, file, proof, log_index, issued_at) VALUES ($1, $2, $3, '', '', $4, $5)`,
    [randomBytes(32).toString('hex'), requestId, kind, ++rows, at],
  )
}

describe('the month for the auditor', () => {
  test('counts what came, what became of it and how long it took; other months and apps stay out', async () => {
    const first = await seed({
      state: 'closed',
      received: '2026-11-01T00:00:00Z',
      certified: '2026-11-01T00:10:00Z',
      closed: '2026-11-03T00:00:00Z',
      subjects: 2,
    })
    await seed({
      state: 'certified',
      received: '2026-11-30T23:59:59.999Z',
      certified: '2026-12-01T00:30:00Z',
      due: '2026-12-01T00:00:00Z',
      subjects: 3,
    })
    await seed({
      state: 'refused',
      received: '2026-11-05T00:00:00Z',
      closed: '2026-11-05T00:20:00Z',
      article: 'GDPR Art. 12(5)',
    })
    await seed({ state: 'cancelled', received: '2026-11-06T00:00:00Z', closed: '2026-11-20T00:00:00Z' })
    const stuck = await seed({
      state: 'stuck',
      received: '2026-11-07T00:00:00Z',
      due: '2026-11-08T00:00:00Z',
    })
    await seed({ state: 'erasing', received: '2026-10-31T23:59:59Z' })
    await seed({ state: 'received', received: '2026-12-01T00:00:00Z' })
    await seed({ app: 'other', state: 'received', received: '2026-11-02T00:00:00Z' })
    await issue(first, 'received', '2026-11-01T00:00:01Z')
    await issue(first, 'certificate', '2026-11-01T00:10:00Z')
    await issue(first, 'closed', '2026-12-03T00:00:00Z')
    await issue(stuck, 'partial', '2026-11-08T00:00:05Z')

    const now = new Date('2026-12-02T00:00:00Z')
    const report = await readGdprMonth(gateway.postgres, { month: '2026-11', apps: ['shop'], now })
    expect(report).toMatchObject({
      received: 5,
      processed: 4,
      pending: 1,
      partial: 1,
      overdue: 2,
      carriedOver: 1,
      averageProcessingMs: Math.round((600_000 + 1_800_001 + 1_200_000) / 3),
      worstProcessingMs: 1_800_001,
      erasedSubjects: 5,
      states: ['cancelled', 'certified', 'closed', 'refused', 'stuck'].map((state) => ({
        kind: 'erasure',
        state,
        requests: 1,
      })),
      refusals: [{ article: 'GDPR Art. 12(5)', requests: 1 }],
    })
    expect(report.certificates.map(({ requestId, kind, logIndex }) => [requestId, kind, logIndex])).toEqual([
      [first, 'certificate', 2],
      [stuck, 'partial', 4],
    ])
    // Withdrawn by what followed: the request is as it was before.
    await gateway.postgres.query(
      'withdraw',
      'UPDATE certificates SET superseded = true WHERE request_id = $1',
      [stuck],
    )
    const later = await readGdprMonth(gateway.postgres, { month: '2026-11', apps: ['shop'], now })
    expect(later).toMatchObject({ pending: 1, partial: 0 })
    const all = await readGdprMonth(gateway.postgres, { month: '2026-11', apps: null, now })
    expect(all.received).toBe(6)
  })

  test('the gateway gives an officer the figures of their own apps', async () => {
    const { token } = await gateway.token({ role: 'analyst', apps: ['other'] })
    const answer = await gateway.call('GET /v1/privacy/report?month=2026-11', { token })
    expect(JSON.parse(answer.text)).toMatchObject({
      apps: ['other'],
      received: 1,
      pending: 1,
      certificates: [],
    })
  })

  test('`ebb report gdpr` prints what the gateway gives, writes it for people, and is in the audit log', async () => {
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [builtScript('cli/ebb.ts'), 'report', 'gdpr', ...args], {
        env: {
          PATH: process.env.PATH,
          ...gateway.stage.environment,
          EBB_REPORTS_FOLDER: gateway.stage.config.home,
        },
        encoding: 'utf8',
        timeout: 60_000,
      })
    const printed = run('--month', '2026-11', '--json')
    expect(printed.stderr).toBe('')
    const { token } = await gateway.token({ role: 'analyst', apps: null })
    const answer = await gateway.call('GET /v1/privacy/report?month=2026-11', { token })
    const { overdue: _, ...given } = JSON.parse(answer.text) as Record<string, unknown>
    expect(JSON.parse(printed.stdout)).toMatchObject(given)
    const markdown = readFileSync(`${gateway.stage.config.home}/gdpr_report_2026-11.md`, 'utf8')
    expect(markdown).toContain('| GDPR Art. 12(5) | 1 |')
    expect(run('--month', '2026-13').stderr).toContain('--month must be YYYY-MM')
    const rows = await readAudit(gateway.postgres)
    expect(rows.filter(({ action }) => action === 'report gdpr')).toEqual([
      { actor: expect.stringMatching(/^cli:/), action: 'report gdpr', object: '2026-11', outcome: 'done' },
    ])
  })

  test('the list goes by state and month, page by page', async () => {
    const { token } = await gateway.token({ role: 'operator', apps: ['shop'] })
    const read = async (query: string) =>
      JSON.parse((await gateway.call(`GET /v1/privacy/requests?${query}`, { token })).text) as {
        requests: { state: string; receivedAt: string }[]
        next: string | null
      }
    const first = await read('month=2026-11&limit=3')
    expect(first.requests.map((one) => one.state)).toEqual(['certified', 'stuck', 'cancelled'])
    const second = await read(`month=2026-11&limit=3&before=${first.next}`)
    expect([second.requests.map((one) => one.state), second.next]).toEqual([['refused', 'closed'], null])
    expect((await read('month=2026-11&state=stuck')).requests).toHaveLength(1)
    expect((await read('state=received')).requests.map((one) => one.receivedAt)).toEqual([
      '2026-12-01T00:00:00.000Z',
    ])
  })
})
