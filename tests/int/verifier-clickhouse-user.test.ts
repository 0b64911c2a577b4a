import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { archiveDay } from '../../activities/archive-day.ts'
import { type ClickHouseClient, createClickHouse } from '../../clickhouse/client.ts'
import { s3Collection } from '../../clickhouse/s3-collections.ts'
import { createPostgres } from '../../postgres/client.ts'
import { createS3, type S3 } from '../../s3/client.ts'
import { createFindings, type Sought } from '../../workers/verifier/findings.ts'
import { daysOf, lookIntoAggregates } from '../../workers/verifier/look-into-aggregates.ts'
import { lookIntoClickHouse } from '../../workers/verifier/look-into-clickhouse.ts'
import { lookIntoArchive, lookIntoExports } from '../../workers/verifier/look-into-s3.ts'
import type { OpenRequest } from '../../workers/verifier/observation.ts'
import { createStage, type Stage } from '../stage.ts'
import { insertRows, person, row } from './clickhouse-rows.ts'
import { startServer, type TestServer, temporaryFolder } from './clickhouse-server-process.ts'

// Whoever certifies that rows are gone must see all of them, and be able to make none of them go.
const PASSWORD = 'verifier-secret'
const DAY = '2026-10-05'
const requestId = randomUUID()
const token = Buffer.from(person('gone')).toString('hex')
const sought: Sought[] = [{ requestId, tokens: new Set([token]), subjectIds: new Set(), handles: new Set() }]

let server: TestServer
let listener: Server
let calls = 0
let stage: Stage
let s3: S3
let admin: ClickHouseClient
let verifier: ClickHouseClient
const folder = temporaryFolder()

beforeAll(async () => {
  listener = createServer((_, response) => {
    calls += 1
    response.end('1\n')
  }).listen(0, '127.0.0.1')
  // A server of the test's own: the shared one may be somebody's real one, with other users.
  const ofVerifier = (url: string) => url.replace('://', `://ebb_verifier:${PASSWORD}@`)
  server = await startServer(folder.path, { EBB_VERIFIER_CLICKHOUSE_URL: ofVerifier('http://127.0.0.1:1') })
  stage = await createStage({
    environment: {
      EBB_CLICKHOUSE_URL: server.url,
      EBB_VERIFIER_CLICKHOUSE_URL: ofVerifier(server.url),
    },
  })
  const { config } = stage
  s3 = createS3(config)
  admin = createClickHouse(config)
  verifier = createClickHouse({
    clickhouse: { ...config.clickhouse, url: config.verifier.clickhouseUrl },
  })
  const at = Date.parse(`${DAY}T10:00:00Z`)
  const rows = [row({ ts: at, subject: person('gone') }), row({ ts: at + 1, subject: person('stays') })]
  await insertRows(admin, rows, 'c/1/0/0/1')
  const postgres = createPostgres(config.postgres.url)
  const collection = s3Collection(config, 'archive')
  const deps = { clickhouse: admin, s3, postgres, postgresUrl: config.postgres.url, collection }
  await archiveDay(deps, DAY)
  await postgres.close()
}, 300_000)

afterAll(async () => {
  s3?.close()
  await Promise.all([admin?.close(), verifier?.close()])
  await stage?.close()
  await server?.end('SIGKILL')
  listener?.close()
  folder.remove()
})

/** What the verifier's own queries find as this user. */
async function findAs(clickhouse: ClickHouseClient): Promise<{ store: string; count: number }[]> {
  const findings = createFindings(sought)
  // With its own patience: what merges leave is on the disk for seconds, and would be found by the one and not by the other.
  await lookIntoClickHouse({ clickhouse }, sought, findings)
  const collection = s3Collection(stage.config, 'archive')
  const look = { s3, clickhouse, collection, patienceMs: 0 }
  await lookIntoArchive(look, sought, findings)
  await lookIntoExports(look, sought, findings)
  const days = (await daysOf(clickhouse, [token])).get(token) ?? []
  const observed = { handles: [], subjects: [], keyless: [], days }
  const request = { requestId, app: 'shop', observed } as Partial<OpenRequest> as OpenRequest
  await lookIntoAggregates({ clickhouse, patienceMs: 0 }, [request], findings)
  return findings.of(requestId).found.sort((a, b) => (a.store < b.store ? -1 : 1))
}

const command = (query: string, clickhouse_settings: Record<string, string | number> = {}) =>
  admin.command({ query, clickhouse_settings: { mutations_sync: '2', ...clickhouse_settings } })

describe('the verifier, by its own user of ClickHouse, finds what an administrator finds', () => {
  const both = async () => {
    // Side by side: each waits out its own patience where something is found.
    const [found, foundByAdmin] = await Promise.all([findAs(verifier), findAs(admin)])
    expect(found).toEqual(foundByAdmin)
    return found
  }

  test('rows in tables and files', async () => {
    expect(new URL(stage.config.verifier.clickhouseUrl).username).toBe('ebb_verifier')
    expect(await daysOf(verifier, [token])).toEqual(new Map([[token, [DAY]]]))
    expect(await both()).toEqual([
      { store: 'clickhouse/events', count: 2 },
      { store: 's3/archive', count: 1 },
    ])
  })

  test('rows that are only masked', async () => {
    await command(`DELETE FROM events_raw WHERE subject = unhex('${token}')`, { lightweight_deletes_sync: 2 })
    // In events_raw as it lies on disk, in sessions, and in the text of the deletion.
    expect(await both()).toEqual([
      { store: 'clickhouse/events', count: 3 },
      { store: 's3/archive', count: 1 },
    ])
  }, 300_000)

  test('aggregates that still count who is gone', async () => {
    await command(`ALTER TABLE events_raw DELETE WHERE subject = unhex('${token}')`)
    const findings = createFindings(sought)
    const observed = { handles: [], subjects: [], keyless: [], days: [DAY] }
    const request = { requestId, app: 'shop', observed } as Partial<OpenRequest> as OpenRequest
    await lookIntoAggregates({ clickhouse: verifier, patienceMs: 0 }, [request], findings)
    expect(findings.of(requestId).found).toEqual([{ store: 'clickhouse/aggregates', count: 1 }])
  })

  test('frozen parts, and detached ones', async () => {
    const before = (await both())[0]!.count
    await command(`ALTER TABLE sessions FREEZE WITH NAME 'kept'`)
    expect((await both())[0]!.count).toBeGreaterThan(before)
    await command(`ALTER TABLE sessions UNFREEZE WITH NAME 'kept'`)
    expect((await both())[0]!.count).toBe(before)
    await command('ALTER TABLE metrics_streaming_daily DETACH PARTITION 202610')
    expect((await both())[0]!.count).toBeGreaterThan(before)
    await command('ALTER TABLE metrics_streaming_daily ATTACH PARTITION 202610')
  }, 300_000)
})

describe('the user ebb_verifier is refused', () => {
  const tables = '{db}.events_raw'
  test.each([
    // Whatever writes, deletes, hides or keeps a copy.
    [`INSERT INTO ${tables} (app) VALUES ('x')`],
    [`INSERT INTO ${tables} SELECT * FROM ${tables}`],
    [
      `INSERT INTO FUNCTION s3({archive}, filename = 'x.tsv', format = 'TSV', structure = 'a String') SELECT 'x'`,
    ],
    [`INSERT INTO FUNCTION url('http://127.0.0.1:LISTENER/', 'CSV', 'a UInt8') VALUES (1)`],
    [`INSERT INTO FUNCTION file('x.tsv', 'TSV', 'a String') SELECT 'x'`],
    [`ALTER TABLE ${tables} DELETE WHERE 1`],
    [`ALTER TABLE ${tables} UPDATE app = 'x' WHERE 1`],
    [`ALTER TABLE ${tables} DROP PARTITION 202610`],
    [`ALTER TABLE ${tables} DETACH PARTITION 202610`],
    [`ALTER TABLE ${tables} DROP DETACHED PARTITION ALL SETTINGS allow_drop_detached = 1`],
    [`ALTER TABLE ${tables} FREEZE`],
    [`ALTER TABLE ${tables} UNFREEZE WITH NAME 'kept'`],
    [`ALTER TABLE ${tables} ADD COLUMN x UInt8`],
    [`ALTER TABLE ${tables} MODIFY SETTING old_parts_lifetime = 1`],
    [`ALTER TABLE ${tables} APPLY DELETED MASK`],
    [`DELETE FROM ${tables} WHERE 1`],
    [`UPDATE ${tables} SET app = 'x' WHERE 1`],
    [`TRUNCATE TABLE ${tables}`],
    [`DROP TABLE ${tables}`],
    ['DROP DATABASE {db}'],
    [`DETACH TABLE ${tables}`],
    [`RENAME TABLE ${tables} TO {db}.other`],
    [`EXCHANGE TABLES ${tables} AND {db}.sessions`],
    [`OPTIMIZE TABLE ${tables} FINAL`],
    [`BACKUP TABLE ${tables} TO Disk('backups', 'x')`],
    [`RESTORE TABLE ${tables} FROM Disk('backups', 'x')`],
    ['CREATE TABLE {db}.mine (a UInt8) ENGINE = Memory'],
    ['CREATE TEMPORARY TABLE mine (a UInt8)'],
    [`CREATE VIEW {db}.mine AS SELECT * FROM ${tables}`],
    ['CREATE DATABASE mine'],
    ['CREATE FUNCTION mine AS x -> x'],
    ["CREATE USER mine IDENTIFIED BY 'x'"],
    ["ALTER USER ebb_verifier IDENTIFIED BY 'x'"],
    ['GRANT ALL ON *.* TO ebb_verifier'],
    ['ALTER NAMED COLLECTION {archive} DELETE url'],
    ['DROP NAMED COLLECTION {archive}'],
    ['KILL MUTATION WHERE 1'],
    ['KILL QUERY WHERE 1'],
    ['SYSTEM STOP MERGES'],
    ['SYSTEM FLUSH LOGS'],
    ['SYSTEM SHUTDOWN'],
    ['SET readonly = 0'],
    [`SELECT 1; DROP TABLE ${tables}`],
    [`SELECT * FROM ${tables} INTO OUTFILE '/tmp/x'`],
    ['EXECUTE AS default SELECT 1 AS x'],
    [`EXPLAIN SELECT * FROM ${tables}`],
    // Whatever it has no need to read.
    ['SELECT * FROM system.users'],
    ['SELECT * FROM system.processes'],
    ['SELECT * FROM system.named_collections'],
    ['SELECT * FROM system.backups'],
    ['SELECT * FROM system.parts_columns'],
    ['SELECT * FROM {bi}.daily'],
    ['SELECT * FROM ebb_restricted.q_1'],
    ["SELECT * FROM s3({backups}, filename = '*', format = 'TSV', structure = 'a String')"],
    ["SELECT * FROM s3('http://127.0.0.1:LISTENER/b/k', 'a', 'b', 'TSV', 'a String')"],
    [
      "SELECT * FROM s3({archive}, url = 'http://127.0.0.1:LISTENER/b/', filename = 'k', format = 'TSV', structure = 'a String')",
    ],
    ["SELECT * FROM s3({archive}, filename = file('/etc/hostname'), format = 'TSV', structure = 'a String')"],
    ["SELECT * FROM s3Cluster('default', {archive}, filename = 'k', format = 'TSV', structure = 'a String')"],
    ["SELECT 1 AS x WHERE 'a' IN s3({archive}, filename = 'k', format = 'TSV', structure = 'a String')"],
    ["SELECT * FROM url('http://127.0.0.1:LISTENER/', 'LineAsString')"],
    ["SELECT * FROM file('/etc/hostname', 'LineAsString')"],
    ["SELECT * FROM remote('127.0.0.1', {db}, 'events_raw')"],
    ["SELECT * FROM merge('.*', '.*')"],
    [`SELECT 1 AS x FROM ${tables} SETTINGS s3_truncate_on_insert = 1`],
  ])('%s', async (sql) => {
    const { database: db, biDatabase: bi } = stage.config.clickhouse
    const names: Record<string, string> = {
      db,
      bi,
      archive: s3Collection(stage.config, 'archive'),
      backups: s3Collection(stage.config, 'backups'),
    }
    const { port } = listener.address() as AddressInfo
    const text = sql.replace(/\{(\w+)\}/g, (_, name) => names[name] ?? '').replace('LISTENER', String(port))
    const answer = await server.ask(text, { user: 'ebb_verifier', password: PASSWORD })
    expect(['497', '164', '62', '48'], answer.text).toContain(answer.code)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.text).not.toContain(stage.config.s3.secretKey)
  })

  test.each([
    [{ s3_truncate_on_insert: '1' }, '164'],
    [{ readonly: '0', allow_ddl: '1' }, '164'],
    [{ max_execution_time: '0' }, '452'],
    [{ database: 'ebb_restricted' }, '497'],
  ])('with %j', async (parameters, code) => {
    const by = { user: 'ebb_verifier', password: PASSWORD, parameters: parameters as Record<string, string> }
    expect(await server.ask('SELECT 1 AS x', by)).toMatchObject({ code })
  })

  test('with another password, or with none', async () => {
    for (const password of ['', 'bi', 'secret']) {
      expect(await server.ask('SELECT 1 AS x', { user: 'ebb_verifier', password })).toMatchObject({
        code: '516',
      })
    }
  })

  test('and nothing of it had an effect: no connection out, no table or row gone, no file more', async () => {
    expect(calls).toBe(0)
    const { database } = stage.config.clickhouse
    expect((await server.ask(`SELECT count() FROM ${database}.events_raw`)).text).toBe('1\n')
    expect((await server.ask(`SELECT count() FROM system.tables WHERE name = 'mine'`)).text).toBe('0\n')
    expect((await server.ask('SHOW TABLES FROM ebb_restricted')).text).toBe('')
    expect(await findAs(verifier).then((found) => found.find(({ store }) => store === 's3/archive'))).toEqual(
      {
        store: 's3/archive',
        count: 1,
      },
    )
  })
})

describe('ClickHouse itself refuses the user, whatever the server in front of it looks at', () => {
  // A definer view made by an administrator: only the grants stand before the rows.
  const asVerifier = async (select: string) => {
    const made = await server.ask(
      `CREATE VIEW ebb_restricted.probe DEFINER = ebb_verifier SQL SECURITY DEFINER AS ${select}`,
    )
    expect(made.text).toBe('')
    const answer = await server.ask('SELECT * FROM ebb_restricted.probe')
    await server.ask('DROP VIEW ebb_restricted.probe')
    return answer
  }
  const names = () => ({ db: stage.config.clickhouse.database, bi: stage.config.clickhouse.biDatabase })

  // This engine shows the tables of `system` to everyone, whatever is granted: those are refused above only.
  test('what is not granted', async () => {
    const { bi } = names()
    const backups = s3Collection(stage.config, 'backups').replace('ebb_s3', 'other')
    await server.ask(`CREATE NAMED COLLECTION ${backups} AS url = 'http://127.0.0.1:1/bucket/'`)
    for (const select of [
      `SELECT * FROM ${bi}.daily`,
      'SELECT * FROM system.users',
      "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
      "SELECT * FROM file('x.tsv', 'TSV', 'a String')",
      `SELECT * FROM s3(${backups}, filename = 'x', format = 'TSV', structure = 'a String')`,
    ]) {
      expect(await asVerifier(select), select).toMatchObject({ code: '497', status: 403 })
    }
    await server.ask(`DROP NAMED COLLECTION ${backups}`)
  })

  test('but not what is', async () => {
    const { db } = names()
    expect(await asVerifier(`SELECT count() FROM ${db}.events_raw`)).toMatchObject({ text: '1\n' })
    expect((await server.ask('SHOW GRANTS FOR ebb_verifier')).text).not.toMatch(
      /INSERT|ALTER|DROP|TRUNCATE|OPTIMIZE|BACKUP|SYSTEM (?!\.)|GRANT OPTION|CREATE (?!TEMPORARY TABLE)/,
    )
  })
})
