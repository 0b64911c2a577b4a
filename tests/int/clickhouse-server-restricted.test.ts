import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type TestServer, temporaryFolder } from './clickhouse-server-process.ts'

// What an analyst with hostile intent tries as `bi`. Each line must be refused with one of ClickHouse's own codes, and
// the secret must be in no answer, error texts included.
const SECRET = 'the-secret-value'

let server: TestServer
let listener: Server
let calls = 0
const folder = temporaryFolder()
const bi = { user: 'bi' }

beforeAll(async () => {
  listener = createServer((_, response) => {
    calls += 1
    response.end('1\n')
  }).listen(0, '127.0.0.1')
  server = await startServer(folder.path)
  for (const sql of [
    'CREATE DATABASE ebb',
    'CREATE DATABASE bi',
    'CREATE DATABASE bi_stage',
    'CREATE DATABASE private_bi',
    'CREATE TABLE ebb.events_raw (a UInt8, secret_column String) ENGINE = MergeTree ORDER BY a',
    `INSERT INTO ebb.events_raw VALUES (1, '${SECRET}'), (2, '${SECRET}')`,
    `CREATE TABLE ebb.joined (a UInt8, s String) ENGINE = Join(ANY, LEFT, a)`,
    `INSERT INTO ebb.joined VALUES (1, '${SECRET}')`,
    `CREATE DICTIONARY ebb.dict (a UInt64, secret_column String) PRIMARY KEY a SOURCE(CLICKHOUSE(TABLE 'events_raw' DB 'ebb')) LAYOUT(FLAT()) LIFETIME(0)`,
    'CREATE VIEW bi.days DEFINER = default SQL SECURITY DEFINER AS SELECT a, count() AS n FROM ebb.events_raw GROUP BY a',
    'CREATE VIEW bi_stage.days DEFINER = default SQL SECURITY DEFINER AS SELECT a FROM ebb.events_raw',
    'CREATE TABLE private_bi.t (a String) ENGINE = Memory',
    `INSERT INTO private_bi.t VALUES ('${SECRET}')`,
  ]) {
    const answer = await server.ask(sql)
    expect(answer.text, sql).toBe('')
  }
})

afterAll(async () => {
  await server?.end('SIGKILL')
  listener?.close()
  folder.remove()
})

describe('the user bi reads', () => {
  test.each([
    ['SELECT a, n FROM bi.days ORDER BY a', '1\t1\n2\t1\n'],
    ['SELECT a FROM bi_stage.days ORDER BY a', '1\n2\n'],
    ['WITH d AS (SELECT a FROM bi.days) SELECT max(a) FROM d', '2\n'],
    ['(SELECT 1 AS x UNION ALL SELECT 1)', '1\n1\n'],
    ['SELECT a FROM bi.days ORDER BY a DESC FORMAT JSONCompactEachRow', '[2]\n[1]\n'],
    ['SELECT a FROM bi.days WHERE a IN (SELECT a FROM bi_stage.days WHERE a > 1) -- why not', '2\n'],
    ['SHOW DATABASES', 'bi\nbi_stage\n'],
    ['SHOW TABLES FROM bi', 'days\n'],
    ['EXISTS TABLE bi.days', '1\n'],
    ['EXISTS ebb.events_raw', '0\n'],
    ['DESCRIBE TABLE bi.days FORMAT CSV', '"a","UInt8","","","","",""\n"n","UInt64","","","","",""\n'],
    ["SELECT name FROM system.tables WHERE database != 'system' ORDER BY database", 'days\ndays\n'],
    ["SELECT count() FROM system.columns WHERE name = 'secret_column'", '0\n'],
    ["SELECT count() FROM information_schema.columns WHERE column_name = 'secret_column'", '0\n'],
    ["SELECT count() FROM INFORMATION_SCHEMA.tables WHERE table_schema = 'ebb'", '0\n'],
    [
      "SELECT count() FROM system.databases WHERE name NOT IN ('bi', 'bi_stage', 'system', 'information_schema')",
      '0\n',
    ],
    ['SELECT sum(number) FROM numbers(4)', '6\n'],
    ["SELECT 'SETTINGS; DROP TABLE x' AS s", 'SETTINGS; DROP TABLE x\n'],
  ])('%s', async (sql, text) => {
    expect(await server.ask(sql, bi)).toMatchObject({ status: 200, text })
  })

  test('with query parameters, an unqualified name, a lowered limit, and by GET', async () => {
    const parameters = { param_a: '2', param_l: "['it\\'s','x']", database: 'bi', max_result_rows: '10' }
    const sql = 'SELECT a, {l:Array(String)} AS l FROM days WHERE a = {a:UInt8} LIMIT {a:UInt8}'
    const expected = { status: 200, text: "2\t['it\\'s','x']\n" }
    expect(await server.ask(sql, { ...bi, parameters })).toMatchObject(expected)
    expect(await server.ask(sql, { ...bi, parameters, method: 'GET' })).toMatchObject(expected)
  })
})

describe('the user bi is refused', () => {
  test.each([
    // Tables and databases outside the grants, by every way to name them.
    ['SELECT * FROM ebb.events_raw'],
    ['SELECT * FROM private_bi.t'],
    ['SELECT * FROM `ebb`.`events_raw`'],
    ['SELECT (SELECT any(secret_column) FROM ebb.events_raw) AS s'],
    ["SELECT throwIf((SELECT any(secret_column) FROM ebb.events_raw) LIKE 'the%') AS s"],
    ['SELECT a FROM bi.days WHERE a IN (SELECT a FROM ebb.events_raw)'],
    ['SELECT a FROM bi.days WHERE a IN ebb.events_raw'],
    ['SELECT d.a AS a, secret_column FROM bi.days AS d JOIN ebb.events_raw AS r ON d.a = r.a'],
    ['SELECT 1 AS x UNION ALL SELECT a FROM ebb.events_raw'],
    ['WITH x AS (SELECT * FROM ebb.events_raw) SELECT * FROM x'],
    ['SELECT * FROM view(SELECT * FROM ebb.events_raw)'],
    ["SELECT * FROM merge('ebb', '.*')"],
    ["SELECT * FROM merge('.*', '.*')"],
    ["SELECT * FROM cluster('default', 'ebb', 'events_raw')"],
    ["SELECT * FROM clusterAllReplicas('default', ebb.events_raw)"],
    ["SELECT * FROM remote('127.0.0.1', 'ebb', 'events_raw')"],
    ["SELECT * FROM loop('ebb', 'events_raw') LIMIT 1"],
    ["SELECT * FROM mergeTreeIndex('ebb', 'events_raw')"],
    [
      "SELECT * FROM viewIfPermitted(SELECT secret_column FROM ebb.events_raw ELSE null('secret_column String'))",
    ],
    ["SELECT * FROM viewExplain('', '', SELECT 1)"],
    ["SELECT * FROM eval('SELECT 1')"],
    ["SELECT * FROM dictionary('ebb.dict')"],
    ["SELECT dictGet('ebb.dict', 'secret_column', 1) AS s"],
    ["SELECT dictGetOrDefault('ebb.dict', 'secret_column', 1, '') AS s"],
    ["SELECT joinGet('ebb.joined', 's', toUInt8(1)) AS s"],
    ["SELECT hasColumnInTable('ebb', 'events_raw', 'secret_column') AS s"],
    ['SELECT secret_colum FROM ebb.events_raw'],
    // Files, processes, the network.
    ["SELECT file('/etc/hostname') AS s"],
    ["SELECT `file`('/etc/hostname') AS s"],
    ["SELECT FILE('/etc/hostname') AS s"],
    ["SELECT * APPLY file FROM (SELECT '/etc/hostname' AS p)"],
    ["SELECT * APPLY (x -> file(x)) FROM (SELECT '/etc/hostname' AS p)"],
    ["SELECT arrayMap(x -> file(x), ['/etc/hostname']) AS s"],
    ["SELECT * FROM file('/etc/hostname', 'LineAsString')"],
    ["SELECT * FROM url('http://127.0.0.1:LISTENER/', 'LineAsString')"],
    ["SELECT 1 AS x WHERE 'a' IN url('http://127.0.0.1:LISTENER/', 'LineAsString')"],
    ["SELECT * FROM s3('http://127.0.0.1:LISTENER/b/k', 'LineAsString')"],
    ["SELECT * FROM executable('cat', 'TSV', 'a String')"],
    ["SELECT * FROM postgresql('127.0.0.1:LISTENER', 'a', 'b', 'c', 'd')"],
    ["SELECT * FROM mysql('127.0.0.1:LISTENER', 'a', 'b', 'c', 'd')"],
    ["SELECT * FROM sqlite('/etc/hostname', 't')"],
    ["SELECT * FROM filesystem('/')"],
    ["SELECT * FROM input('a String')"],
    ["SELECT * FROM bi.days INTO OUTFILE '/tmp/x'"],
    ["SELECT * FROM bi.days INTO OUTFILE '/tmp/x' FORMAT CSV"],
    ["SELECT getSetting('max_threads') AS s"],
    ['SELECT sleep(3) AS s'],
    ['SELECT sleepEachRow(1) AS s FROM numbers(100)'],
    ["SELECT __getScalar('x') AS s"],
    // The server's own tables.
    ['SELECT * FROM system.processes'],
    ['SELECT * FROM system.users'],
    ['SELECT * FROM system.parts'],
    ['SELECT * FROM system.errors'],
    ['SELECT * FROM system.stack_trace'],
    ['SELECT * FROM system.disks'],
    ['SELECT * FROM system.mutations'],
    ['SELECT * FROM system.server_settings'],
    ['SELECT d.a FROM bi.days AS d, system.query_log AS q'],
    ['SELECT * FROM ebb_restricted.q_1'],
    // A second statement, and statements that write or command.
    ['SELECT 1; DROP TABLE ebb.events_raw'],
    ['SELECT 1;;DROP TABLE ebb.events_raw'],
    ['SELECT 1 /* ; */ ; DROP TABLE ebb.events_raw'],
    ["SELECT '\\'; DROP TABLE ebb.events_raw"],
    ['SELECT $$ $$; DROP TABLE ebb.events_raw'],
    ['SELECT “; DROP TABLE ebb.events_raw'],
    ['SELECT 1 -- x\n; DROP TABLE ebb.events_raw'],
    ['DROP TABLE ebb.events_raw'],
    ["INSERT INTO ebb.events_raw VALUES (3, 'x')"],
    ["INSERT INTO ebb.events_raw SELECT 3, 'x'"],
    ["INSERT INTO FUNCTION url('http://127.0.0.1:LISTENER/', 'CSV', 'a UInt8') VALUES (1)"],
    ['CREATE VIEW bi.mine AS SELECT 1'],
    ['CREATE VIEW bi.mine DEFINER = default SQL SECURITY DEFINER AS SELECT * FROM ebb.events_raw'],
    ['CREATE TEMPORARY TABLE t (a UInt8)'],
    ['CREATE FUNCTION f AS x -> x'],
    ['ALTER TABLE ebb.events_raw DELETE WHERE 1'],
    ['GRANT SELECT ON ebb.* TO bi'],
    ['SET readonly = 0'],
    ['USE ebb'],
    ['KILL QUERY WHERE 1'],
    ['SYSTEM SHUTDOWN'],
    ['SYSTEM STOP MERGES'],
    ['OPTIMIZE TABLE ebb.events_raw'],
    ["BACKUP TABLE ebb.events_raw TO Disk('backups', 'x')"],
    ["ATTACH TABLE bi.x FROM '/etc' (a UInt8) ENGINE = Memory"],
    ['EXPLAIN SELECT * FROM ebb.events_raw'],
    ['EXPLAIN AST SELECT 1; DROP TABLE ebb.events_raw'],
    ['EXECUTE AS default SELECT * FROM ebb.events_raw'],
    ['SHOW CREATE USER default'],
    ['SHOW GRANTS FOR default'],
    ['SHOW PROCESSLIST'],
    ['SHOW TABLES FROM bi WHERE name IN (SELECT secret_column FROM ebb.events_raw)'],
    ['CHECK TABLE ebb.events_raw'],
    // Settings in the text.
    ['SELECT 1 AS x SETTINGS max_threads = 1'],
    ['SELECT * FROM (SELECT 1 AS x SETTINGS readonly = 0)'],
    ['SELECT 1 AS x FORMAT JSON SETTINGS max_execution_time = 0'],
    ['SELECT 1 AS x SETTINGS readonly = 0 FORMAT JSON'],
  ])('%s', async (sql) => {
    const { port } = listener.address() as AddressInfo
    const answer = await server.ask(sql.replace('LISTENER', String(port)), bi)
    expect(['497', '164', '62', '48', '46', '60', '115'], answer.text).toContain(answer.code)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.text).not.toContain(SECRET)
    expect(answer.text).not.toContain('Maybe you meant')
  })

  test.each([
    [{ param_t: 'ebb.events_raw' }, 'SELECT * FROM {t:Identifier}', '497'],
    [{ param_d: 'ebb' }, 'SELECT * FROM {d:Identifier}.events_raw', '497'],
    [{ param_a: "1'; DROP TABLE ebb.events_raw; --" }, 'SELECT {a:UInt8} AS a', '6'],
    [{ database: 'ebb' }, 'SELECT * FROM events_raw', '497'],
    [{ database: 'ebb' }, 'SELECT secret_colum FROM events_raw', '497'],
    [{ readonly: '0', max_execution_time: '0' }, 'SELECT 1 AS x', '452'],
    [{ max_result_rows: '999999999' }, 'SELECT 1 AS x', '452'],
    [{ max_memory_usage: '0' }, 'SELECT 1 AS x', '452'],
    [{ additional_table_filters: "{'ebb.events_raw':'1'}" }, 'SELECT 1 AS x', '164'],
    [{ format_schema: 'x' }, 'SELECT 1 AS x', '164'],
    [{ log_comment: 'ebb:1:x' }, 'SELECT 1 AS x', '164'],
    [{ allow_introspection_functions: '1' }, "SELECT demangle('a') AS x", '164'],
    [{ 'max_threads=1, readonly': '0' }, 'SELECT 1 AS x', '164'],
    [{ output_format_schema: '/tmp/x' }, 'SELECT 1 AS x FORMAT Protobuf', '164'],
    [{ default_format: 'TSV; DROP TABLE ebb.events_raw' }, 'SELECT 1 AS x', '73'],
    [{ database: 'bi`; DROP TABLE ebb.events_raw; USE `bi' }, 'SELECT 1 AS x', '497'],
    [{ query_id: "'; DROP TABLE ebb.events_raw; SELECT '" }, 'SELECT 1 AS x FROM nowhere', '60'],
    [{ 'param_x) FROM ebb.events_raw --': '1' }, 'SELECT {x:UInt8} AS x', '456'],
    [
      { param_x: '1' },
      'SELECT {x:UInt8) AS x, (SELECT any(secret_column) FROM ebb.events_raw) AS y --}',
      '62',
    ],
    [{ role: 'admin' }, 'SELECT 1 AS x', '48'],
    [{ session_id: 's', session_check: '1' }, 'SELECT 1 AS x', '372'],
  ])('with %j: %s', async (parameters, sql, code) => {
    const answer = await server.ask(sql, { ...bi, parameters: parameters as Record<string, string> })
    expect(answer.code, answer.text).toBe(code)
    expect(answer.text).not.toContain(SECRET)
    expect(answer.text).not.toContain('secret_column')
  })

  test('nothing of it had an effect: no connection out, no table gone, no row more', async () => {
    expect(calls).toBe(0)
    expect((await server.ask('SELECT count() FROM ebb.events_raw')).text).toBe('2\n')
    expect((await server.ask('SHOW TABLES FROM bi')).text).toBe('days\n')
    expect((await server.ask('SHOW TABLES FROM ebb_restricted')).text).toBe('')
  })
})

describe('the user bi is bounded', () => {
  test('by rows of a result, rows to read, and time', async () => {
    const few = { ...bi, parameters: { max_result_rows: '10' } }
    expect((await server.ask('SELECT number FROM numbers(11)', few)).code).toBe('396')
    // Beyond what is held back, the connection breaks, so that nobody takes the first rows for all.
    await expect(server.ask('SELECT number FROM numbers(2000000)', bi)).rejects.toThrow()
    const read = await server.ask('SELECT sum(number) AS s FROM numbers(1000000000000)', bi)
    expect(read.code).toBe('158')
    const slow = 'SELECT count() AS n FROM numbers(400000000) WHERE NOT ignore(sipHash64(toString(number)))'
    const from = performance.now()
    const time = await server.ask(slow, { ...bi, parameters: { max_execution_time: '1' } })
    expect(time).toMatchObject({ code: '159', status: 408 })
    expect(performance.now() - from).toBeLessThan(5000)
  })

  test('by memory already while the statement is analysed', async () => {
    const answer = await server.ask(
      "SELECT length(arrayStringConcat(arrayMap(x -> repeat('x', 1000), range(1000000)))) AS n",
      bi,
    )
    expect(answer.code).toBe('241')
  })

  test('by places: twenty slow statements, of which eight run, leave room for everyone else', async () => {
    const slow = 'SELECT count() AS n FROM numbers(400000000) WHERE NOT ignore(sipHash64(toString(number)))'
    const leave = new AbortController()
    let over = 0
    const readers = Array.from({ length: 20 }, () =>
      fetch(`${server.url}/?max_execution_time=20`, {
        method: 'POST',
        headers: { 'x-clickhouse-user': 'bi', 'x-clickhouse-key': 'secret' },
        body: slow,
        signal: leave.signal,
      })
        .then((response) => response.text())
        .then(() => (over += 1))
        .catch(() => undefined),
    )
    const running = async () =>
      (await server.ask("SELECT count() FROM system.processes WHERE query LIKE '%ebb_restricted.q_%'")).text
    const from = Date.now()
    while (!(await running()).startsWith('9') && Date.now() - from < 5_000) await sleep(100)
    expect(over).toBe(0)
    leave.abort()
    await Promise.all(readers)
    // Those that waited have left too: a place is free at once.
    expect((await server.ask('SELECT 1 AS x', bi)).text).toBe('1\n')
  })

  test('and gets rows in the order it asked for', async () => {
    const answer = await server.ask(
      'SELECT number AS n FROM numbers_mt(300000) ORDER BY cityHash64(n), n',
      bi,
    )
    const straight = await server.ask('SELECT number AS n FROM numbers_mt(300000) ORDER BY cityHash64(n), n')
    expect(answer.text === straight.text).toBe(true)
  })

  test('shares no session with default, and takes a session id without keeping anything', async () => {
    await server.ask('CREATE TEMPORARY TABLE kept (a String)', { parameters: { session_id: 'shared' } })
    await server.ask(`INSERT INTO kept VALUES ('${SECRET}')`, { parameters: { session_id: 'shared' } })
    expect((await server.ask('SELECT a FROM kept', { parameters: { session_id: 'shared' } })).text).toBe(
      `${SECRET}\n`,
    )
    const stolen = await server.ask('SELECT a FROM kept', { ...bi, parameters: { session_id: 'shared' } })
    expect(stolen.code).toBe('60')
    expect((await server.ask('SELECT 1 AS x', { ...bi, parameters: { session_id: 'shared' } })).text).toBe(
      '1\n',
    )
  })

  test('cannot stop another user by taking its query id', async () => {
    const long = server.ask('SELECT sleep(1)', { parameters: { query_id: 'mine' } })
    const controller = new AbortController()
    const other = fetch(`${server.url}/?query_id=mine&query=SELECT+count()+AS+n+FROM+numbers(400000000)`, {
      headers: { 'x-clickhouse-user': 'bi', 'x-clickhouse-key': 'secret' },
      signal: controller.signal,
    }).catch(() => {})
    setTimeout(() => controller.abort(), 200)
    await other
    expect((await long).text).toBe('0\n')
  })

  test.each([
    ['bi', 'wrong'],
    ['bi', ''],
    ['nobody', ''],
    ['default', 'secret'],
  ])('wrong credentials (%s, %s) are refused alike', async (user, password) => {
    const answer = await server.ask('SELECT 1', { user, password })
    expect(answer).toMatchObject({ status: 403, code: '516' })
  })
})
