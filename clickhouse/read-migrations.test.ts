import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { readConfig } from '../runtime/config.ts'
import { type MadeUser, readUserStatements, USERS } from './migrate-users.ts'
import { fillPlaceholders, readMigrations, splitStatements } from './read-migrations.ts'
import { VERIFIER_SYSTEM_TABLES, verifierPassword } from './verifier-user.ts'

const FOLDER = new URL('./sql/', import.meta.url)
const alone = { database: 'ebb', biDatabase: 'bi', cluster: '' }
const cluster = { ...alone, cluster: 'main' }

test('statements end at a semicolon that ends a line; lines of comment are left out', () => {
  expect(splitStatements(`-- a; b\nSELECT ';' AS x, 1;\n\n  -- c\nSELECT 2\n  FROM t;\n`)).toEqual([
    `SELECT ';' AS x, 1`,
    'SELECT 2\n  FROM t',
  ])
})

test('one server and a cluster are served by the same files', async () => {
  const one = (await readMigrations(FOLDER, alone)).flatMap((migration) => migration.statements).join('\n')
  const many = (await readMigrations(FOLDER, cluster)).flatMap((migration) => migration.statements)
  expect(one).not.toMatch(/Replicated|ON CLUSTER/)
  for (const statement of many) expect(statement).toContain(`ON CLUSTER 'main'`)
  const engines = many.join('\n').match(/ENGINE = \w+/g) ?? []
  expect(engines.length).toBeGreaterThan(10)
  for (const engine of engines) expect(engine).toMatch(/^ENGINE = Replicated/)
})

test('every table that a cut reaches has the deduplication window, alone and in a cluster', async () => {
  for (const [parameters, setting] of [
    [alone, 'non_replicated_deduplication_window = 20000'],
    [cluster, 'replicated_deduplication_window = 20000'],
  ] as const) {
    const statements = (await readMigrations(FOLDER, parameters)).flatMap((migration) => migration.statements)
    const targets = statements.flatMap(
      (statement) => /MATERIALIZED VIEW[\s\S]* TO ebb\.(\w+)/.exec(statement)?.[1] ?? [],
    )
    expect(targets.length).toBe(4)
    for (const table of [...targets, 'events_raw', 'ingest_seen']) {
      const made = statements.find((statement) =>
        statement.startsWith(`CREATE TABLE IF NOT EXISTS ebb.${table} `),
      )
      expect(made, table).toContain(setting)
    }
  }
})

test('every statement may run again', async () => {
  for (const migration of await readMigrations(FOLDER, alone)) {
    for (const statement of migration.statements) expect(statement).toMatch(/IF NOT EXISTS|OR REPLACE/)
  }
})

test('a missing number and an unknown placeholder are refused', async () => {
  expect(() => fillPlaceholders('CREATE {thing}', alone)).toThrow(
    expect.objectContaining({ code: 'bad_migration' }),
  )
  const folder = await mkdtemp(join(tmpdir(), 'ebb-migrations-'))
  await writeFile(join(folder, '0002_late.sql'), 'SELECT 1;\n')
  await expect(readMigrations(pathToFileURL(`${folder}/`), alone)).rejects.toMatchObject({
    code: 'bad_migration',
  })
  await rm(folder, { recursive: true })
})

const users = Object.keys(USERS) as MadeUser[]
const statementsOf = async (user: MadeUser, environment: Record<string, string> = {}) =>
  (await readUserStatements(readConfig(environment), user, 'correct horse')).join('\n')

test.each(users)('the password of %s goes as a hash', async (user) => {
  const text = await statementsOf(user)
  expect(text).not.toContain('correct horse')
  expect(text).toMatch(/sha256_hash BY '[0-9a-f]{64}'/)
})

test('the verifier is granted reading and nothing else, of its own database, bucket and list of system tables', async () => {
  const text = await statementsOf('ebb_verifier', {
    EBB_CLICKHOUSE_DATABASE: 'own',
    EBB_BUCKET_PREFIX: 'my-',
  })
  // One statement, in the place of whatever it was given before: sources, roles, other databases.
  expect(text.match(/\bGRANT\b/g)).toHaveLength(1)
  expect(text).toMatch(/^REVOKE\s+ALL FROM ebb_verifier$/m)
  const [, rights = ''] = /^GRANT\s+(.*) TO ebb_verifier WITH REPLACE OPTION$/m.exec(text) ?? []
  expect(rights.split(', ').sort()).toEqual(
    [
      'SELECT ON own.*',
      ...VERIFIER_SYSTEM_TABLES.map((table) => `SELECT ON system.${table}`),
      'READ ON S3',
      'CREATE TEMPORARY TABLE ON *.*',
      'NAMED COLLECTION ON ebb_s3_my_archive',
    ].sort(),
  )
})

test('only a password of the verifier’s own user is taken for its password', () => {
  expect(verifierPassword('http://ebb_verifier:a%40b@host:8123')).toBe('a@b')
  expect(verifierPassword('http://ebb:secret@host:8123')).toBe('')
  expect(verifierPassword('http://default@host:8123')).toBe('')
})
