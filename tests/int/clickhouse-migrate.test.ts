import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClickHouse } from '../../clickhouse/client.ts'
import { migrateClickHouse } from '../../clickhouse/migrate.ts'
import { type MadeUser, readUserStatements, USERS } from '../../clickhouse/migrate-users.ts'
import { readConfig } from '../../runtime/config.ts'
import { createStage, type Stage } from '../stage.ts'
import { ask } from './clickhouse-rows.ts'

const SQL = fileURLToPath(new URL('../../clickhouse/sql/', import.meta.url))

let stage: Stage
let folder: string
/** A file with the number after the last one. */
let nextFile: string
beforeAll(async () => {
  stage = await createStage({ migrate: false })
  folder = await mkdtemp(join(tmpdir(), 'ebb-sql-'))
  await cp(SQL, folder, { recursive: true })
  const numbered = (await readdir(folder)).filter((name) => /^\d{4}_/.test(name))
  nextFile = `${String(numbered.length + 1).padStart(4, '0')}_next.sql`
})
afterAll(async () => {
  await stage?.close()
  await rm(folder, { recursive: true, force: true })
})

const migrate = () => migrateClickHouse(stage.config, pathToFileURL(`${folder}/`))

test('several processes may migrate at once, and again', async () => {
  await Promise.all([migrate(), migrate(), migrate()])
  await migrate()
  const client = createClickHouse(stage.config)
  const versions = await ask<{ version: number }>(
    client,
    'SELECT DISTINCT version FROM migrations ORDER BY version',
  )
  await client.close()
  expect(versions.map((row) => row.version)).toEqual(versions.map((_, index) => index + 1))
  expect(versions.length).toBeGreaterThanOrEqual(4)
})

test('a file that failed half-way is named, and run whole once it is mended', async () => {
  const next = join(folder, nextFile)
  await writeFile(
    next,
    'CREATE TABLE IF NOT EXISTS {db}.next (n UInt8) ENGINE = {engine:MergeTree} ORDER BY n;\nSELEKT 1;\n',
  )
  await expect(migrate()).rejects.toMatchObject({
    code: 'migration_failed',
    message: expect.stringContaining(`${nextFile}, statement 2`),
  })
  await writeFile(
    next,
    'CREATE TABLE IF NOT EXISTS {db}.next (n UInt8) ENGINE = {engine:MergeTree} ORDER BY n;\n',
  )
  await migrate()
})

test('a file that changed after it was applied is refused', async () => {
  await writeFile(join(folder, nextFile), 'SELECT 1;\n')
  await expect(migrate()).rejects.toMatchObject({ code: 'migration_changed' })
})

test('an older program refuses a newer database', async () => {
  await rm(join(folder, nextFile))
  await expect(migrate()).rejects.toMatchObject({ code: 'migration_unknown' })
})

const MADE: { user: MadeUser; cluster: string }[] = (Object.keys(USERS) as MadeUser[]).flatMap((user) =>
  ['', 'main'].map((cluster) => ({ user, cluster })),
)
test.each(MADE)(
  'the statements for $user on a real server are ClickHouse’s own grammar (cluster "$cluster")',
  async ({ user, cluster }) => {
    const client = createClickHouse(stage.config, { database: '' })
    for (const statement of await readUserStatements(
      readConfig({ EBB_CLICKHOUSE_CLUSTER: cluster }),
      user,
      'x',
    )) {
      const result = await client.query({
        query: 'SELECT formatQuery({statement:String}) AS text',
        query_params: { statement },
        format: 'JSONEachRow',
      })
      expect(await result.json()).toHaveLength(1)
    }
    await client.close()
  },
)
