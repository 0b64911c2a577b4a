import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { createAuditLog, hashAuditRow } from '../../postgres/audit-log.ts'
import { createPostgres, type TransactingPostgres } from '../../postgres/client.ts'
import { verifyAuditLog } from '../../postgres/verify-audit-log.ts'
import { builtScript } from '../../runtime/project-root.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let postgres: TransactingPostgres
let statements = 0
const stages: (() => Promise<void>)[] = []

beforeEach(async () => {
  stage ??= await createStage()
  postgres ??= createPostgres(stage.config.postgres.url)
  stages[0] = async () => {
    await postgres.close()
    await stage.close()
  }
  await behindTheTrigger('TRUNCATE audit_log')
})
afterAll(async () => {
  for (const close of stages) await close()
})

/** As somebody with all rights on the database would. */
async function behindTheTrigger(...texts: string[]): Promise<void> {
  await postgres.query('off', 'ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only', [])
  for (const text of texts) await postgres.query(`tamper_${++statements}`, text, [])
  await postgres.query('on', 'ALTER TABLE audit_log ENABLE TRIGGER audit_log_append_only', [])
}

const entry = (object: string) => ({ actor: 'cli:test', action: 'erase submit', object, outcome: 'done' })

async function append(count: number): Promise<void> {
  const audit = createAuditLog(postgres)
  await Promise.all(Array.from({ length: count }, (_, index) => audit.append(entry(`object-${index}`))))
}

describe('the audit log', () => {
  test('has no gap and holds when four processes write 4,000 entries at once; at least 500 a second', async () => {
    const startedAt = performance.now()
    const pools = Array.from({ length: 4 }, () =>
      createPostgres(stage.config.postgres.url, { connections: 2 }),
    )
    await Promise.all(
      pools.map(async (pool, writer) => {
        const audit = createAuditLog(pool)
        await Promise.all(
          Array.from({ length: 1_000 }, (_, index) => audit.append(entry(`${writer}-${index}`))),
        )
      }),
    )
    const seconds = (performance.now() - startedAt) / 1_000
    await Promise.all(pools.map((pool) => pool.close()))
    expect(await verifyAuditLog(postgres)).toMatchObject({ rows: 4_000, head: { seq: 4_000n }, broken: null })
    expect(4_000 / seconds).toBeGreaterThan(500)
  })

  test('refuses every change and deletion by its own trigger', async () => {
    await append(3)
    for (const text of [
      `UPDATE audit_log SET actor = 'x'`,
      'DELETE FROM audit_log WHERE seq = 3',
      'TRUNCATE audit_log',
    ]) {
      await expect(postgres.query(`refused_${text.length}`, text, [])).rejects.toThrow()
    }
    expect(await verifyAuditLog(postgres)).toMatchObject({ rows: 3, broken: null })
  })

  const tampered: [string, string, { seq: bigint; fault: string }][] = [
    ['another actor', `UPDATE audit_log SET actor = 'cli:else' WHERE seq = 7`, { seq: 7n, fault: 'changed' }],
    ['another action', `UPDATE audit_log SET action = 'x' WHERE seq = 7`, { seq: 7n, fault: 'changed' }],
    ['another object', `UPDATE audit_log SET object = 'x' WHERE seq = 7`, { seq: 7n, fault: 'changed' }],
    ['another outcome', `UPDATE audit_log SET outcome = 'x' WHERE seq = 7`, { seq: 7n, fault: 'changed' }],
    [
      'a microsecond',
      `UPDATE audit_log SET at = at + interval '1 microsecond' WHERE seq = 7`,
      { seq: 7n, fault: 'changed' },
    ],
    ['another hash', `UPDATE audit_log SET hash = sha256('x') WHERE seq = 7`, { seq: 7n, fault: 'changed' }],
    [
      'a word moved from one column to the next',
      `UPDATE audit_log SET actor = 'cli:', action = 'testerase submit' WHERE seq = 7`,
      { seq: 7n, fault: 'changed' },
    ],
    ['a deleted row', 'DELETE FROM audit_log WHERE seq = 7', { seq: 7n, fault: 'missing' }],
    ['a deleted beginning', 'DELETE FROM audit_log WHERE seq = 1', { seq: 1n, fault: 'missing' }],
  ]
  test.each(tampered)('finds %s behind the trigger’s back', async (_, statement, broken) => {
    await append(12)
    await behindTheTrigger(statement)
    expect((await verifyAuditLog(postgres)).broken).toEqual(broken)
  })

  test('finds two rows that changed places', async () => {
    await append(12)
    await behindTheTrigger(
      'UPDATE audit_log SET seq = seq + 100 WHERE seq IN (7, 8)',
      'UPDATE audit_log SET seq = 8 WHERE seq = 107',
      'UPDATE audit_log SET seq = 7 WHERE seq = 108',
    )
    expect((await verifyAuditLog(postgres)).broken).toMatchObject({ seq: 7n, fault: 'unchained' })
  })

  test('finds a row that was changed together with its hash, at the row after it', async () => {
    await append(12)
    const [row] = await postgres.query<{ previous: Buffer; at: string } & Record<string, unknown>>(
      'row_7',
      `SELECT previous, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at FROM audit_log WHERE seq = 7`,
      [],
    )
    const hash = hashAuditRow({ ...entry('forged'), seq: 7n, at: row!.at, previous: row!.previous })
    await behindTheTrigger(
      `UPDATE audit_log SET object = 'forged', hash = '\\x${hash.toString('hex')}' WHERE seq = 7`,
    )
    expect((await verifyAuditLog(postgres)).broken).toEqual({ seq: 8n, fault: 'unchained' })
  })

  test('an end that was cut off is found by a head that somebody noted, and by nothing else', async () => {
    await append(12)
    const { head } = await verifyAuditLog(postgres)
    await behindTheTrigger('DELETE FROM audit_log WHERE seq > 9')
    expect((await verifyAuditLog(postgres)).broken).toBeNull()
    expect((await verifyAuditLog(postgres, head)).broken).toEqual({ seq: 10n, fault: 'rolled-back' })
    await append(5)
    expect((await verifyAuditLog(postgres)).broken).toBeNull()
    expect((await verifyAuditLog(postgres, head)).broken).toEqual({ seq: 12n, fault: 'rolled-back' })
  })

  const ebb = (...args: string[]) =>
    spawnSync(process.execPath, [builtScript('cli/ebb.ts'), ...args], {
      env: { PATH: process.env.PATH, ...stage.environment },
      encoding: 'utf8',
      timeout: 60_000,
    })

  test('what `ebb erase` refuses is in the log with its code, and repeats nothing of what was typed', async () => {
    const id = randomUUID()
    const refusals: [string[], string, string][] = [
      [['--app', 'shop', '--email', 'ada@example.com'], 'erase submit', '-'],
      [['--email', 'ada@example.com', '--proof', 'email-code'], 'erase submit', '-'],
      [['--app', 'shop', '--user-id', 'u', '--proof', 'ada@example.com'], 'erase submit', '-'],
      [['status', 'ada@example.com'], 'erase status', '-'],
      [['cancel', 'ada@example.com'], 'erase cancel', '-'],
      [['refuse', id, '--article', 'ada@example.com', '--reason', 'identity-not-proven'], 'erase refuse', id],
      [['refuse', id, '--article', 'GDPR Art. 12(6)', '--reason', 'ada'], 'erase refuse', id],
      [['hold', id, '--field', 'name', '--article', 'GDPR Art. 17(3)', '--until', 'ada'], 'erase hold', id],
      [
        ['hold', id, '--field', 'ada@example.com', '--article', 'ada', '--until', '2030-01-01'],
        'erase hold',
        id,
      ],
      [['release', id, 'ada@example.com'], 'erase release', id],
    ]
    for (const [args] of refusals) {
      const { status, stdout, stderr } = ebb('erase', ...args)
      expect([status, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(/^ebb: .+\n$/)
      expect(stderr).not.toContain('ada')
    }
    const rows = await postgres.query<Record<string, string>>(
      'refused_rows',
      'SELECT action, object, outcome FROM audit_log ORDER BY seq',
      [],
    )
    expect(rows.map(({ action, object, outcome }) => [action, object, outcome])).toEqual(
      refusals.map(([, action, object]) => [action, object, 'failed bad_arguments']),
    )
  })

  test('`ebb audit verify` exits 0 with the head, and 1 with the first broken row; `ebb token` is in the log', async () => {
    const made = ebb('token', 'create', 'desk-one', '--role', 'compliance', '--app', 'shop', '--json')
    expect(made.stderr).toBe('')
    const { tokenId, token } = JSON.parse(made.stdout) as { tokenId: string; token: string }
    expect(token).toMatch(/^ebb_[A-Za-z0-9_-]{32}$/)
    expect(ebb('token', 'revoke', tokenId).status).toBe(0)
    expect(ebb('token', 'revoke', 'nobody').status).toBe(1)
    expect(ebb('token', 'list').stdout).toMatch(new RegExp(`${tokenId}\tcompliance\trevoked `))
    const rows = await postgres.query<Record<string, string>>(
      'cli_rows',
      'SELECT actor, action, object, outcome FROM audit_log ORDER BY seq',
      [],
    )
    expect(rows.map(({ action, object, outcome }) => [action, object, outcome])).toEqual([
      ['token create', tokenId, 'done'],
      ['token revoke', tokenId, 'done'],
      ['token revoke', '-', 'failed token_unknown'],
      ['token list', '-', 'done'],
    ])
    expect(rows.every(({ actor }) => /^cli:.+/.test(actor!))).toBe(true)
    const [stored] = await postgres.query('token_row', 'SELECT * FROM api_tokens', [])
    expect(JSON.stringify(stored)).not.toContain(token)

    const sound = ebb('audit', 'verify')
    expect([sound.status, sound.stdout]).toEqual([
      0,
      expect.stringMatching(/^sound: 4 rows\nhead 4:[0-9a-f]{64}\n/),
    ])
    await behindTheTrigger(`UPDATE audit_log SET object = 'x' WHERE seq = 2`)
    const broken = ebb('audit', 'verify')
    expect([broken.status, broken.stdout]).toEqual([
      1,
      'BROKEN  row 2 is not as it was written; 1 rows before it hold\n',
    ])
  })
})
