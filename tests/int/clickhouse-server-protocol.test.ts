import { request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import { brotliCompressSync, deflateSync, gunzipSync, gzipSync } from 'node:zlib'
import { type ClickHouseClient, ClickHouseError, createClient } from '@clickhouse/client'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startServer, type TestServer, temporaryFolder } from './clickhouse-server-process.ts'

const folder = temporaryFolder()
let server: TestServer
let client: ClickHouseClient

beforeAll(async () => {
  server = await startServer(folder.path)
  client = createClient({ url: server.url, database: 'p', compression: { request: true, response: true } })
  await server.ask('CREATE DATABASE p')
})

beforeEach(async () => {
  await server.ask('DROP TABLE IF EXISTS p.t SYNC')
  await server.ask('CREATE TABLE p.t (a UInt64, b String) ENGINE = MergeTree ORDER BY a')
})

afterAll(async () => {
  await client?.close()
  await server?.end('SIGKILL')
  folder.remove()
})

const stored = async () => (await server.ask('SELECT a, b FROM p.t ORDER BY a')).text
const rowBinary = (...rows: [number, string][]) =>
  Buffer.concat(
    rows.map(([a, b]) => {
      const number = Buffer.alloc(8)
      number.writeBigUInt64LE(BigInt(a))
      const text = Buffer.from(b)
      return Buffer.concat([number, Buffer.from([text.length]), text])
    }),
  )

describe('the official client', () => {
  test('pings, creates, inserts a stream, reads JSON, rows and raw text, with parameters, compressed both ways', async () => {
    expect(await client.ping()).toEqual({ success: true })
    const rows = [
      { a: 1, b: "it's\n\n\ttwo lines; \\ and ünï" },
      { a: 2, b: '' },
    ]
    const inserted = await client.insert({ table: 't', values: Readable.from(rows), format: 'JSONEachRow' })
    expect(inserted.summary?.written_rows).toBe('2')
    const json = await client.query({
      query: 'SELECT a, b FROM t WHERE a >= {min:UInt64} AND b != {not:String} ORDER BY a',
      query_params: { min: 1, not: "x'y\\z\t\n" },
    })
    expect((await json.json<{ a: number; b: string }>()).data).toEqual(rows)
    const raw = await client.query({ query: 'SELECT b FROM t ORDER BY a', format: 'CSV' })
    expect(await raw.text()).toBe('"it\'s\n\n\ttwo lines; \\ and ünï"\n""\n')
  })

  test('streams a million rows while memory stays bounded', async () => {
    const result = await client.query({
      query: 'SELECT number, toString(number) AS s FROM numbers(1000000)',
      format: 'JSONEachRow',
    })
    let count = 0
    for await (const rows of result.stream()) count += rows.length
    expect(count).toBe(1_000_000)
  })

  test('gets ClickHouse error codes and types', async () => {
    const failure = async (query: string) => client.query({ query }).catch((error: unknown) => error)
    const missing = await failure('SELECT * FROM p.missing')
    expect(missing).toBeInstanceOf(ClickHouseError)
    expect(missing).toMatchObject({ code: '60', type: 'UNKNOWN_TABLE' })
    expect(await failure('SELECT nothing FROM p.t')).toMatchObject({ code: '47', type: 'UNKNOWN_IDENTIFIER' })
    expect(await failure('SELEC 1')).toMatchObject({ code: '62' })
  })

  test('cancels a query, which then no longer runs', async () => {
    const controller = new AbortController()
    const query = client.query({
      query: 'SELECT count() FROM system.numbers',
      abort_signal: controller.signal,
    })
    setTimeout(() => controller.abort(), 200)
    await expect(query).rejects.toThrow()
    const running = async () =>
      (
        await server.ask(
          "SELECT count() FROM system.processes WHERE query LIKE '%count() FROM system.numbers%' AND query NOT LIKE '%processes%'",
        )
      ).text
    await expect.poll(running, { timeout: 5000 }).toBe('0\n')
  })
})

describe('inserts', () => {
  const tsv = '1\tone\n2\ttwo\n'

  test.each<[string, string | Buffer]>([
    ['TabSeparated', tsv],
    ['TabSeparatedWithNames', `a\tb\n${tsv}`],
    ['CSV', '1,"one"\n2,two\n'],
    ['CSVWithNames', 'b,a\none,1\ntwo,2\n'],
    ['JSONEachRow', '{"a":1,"b":"one"}\n\n{"a":"2","b":"two"}'],
    ['JSONCompactEachRow', '[1,"one"]\n[2,"two"]'],
    ['Values', "(1, 'one'), (1 + 1, concat('t', 'wo'))"],
    ['RowBinary', rowBinary([1, 'one'], [2, 'two'])],
  ])('%s: in the query= with the data as body, and all in the body', async (format, data) => {
    const sql = `INSERT INTO p.t (a, b) FORMAT ${format}`
    for (const send of [
      () => server.ask(data, { parameters: { query: sql } }),
      () => server.ask(Buffer.concat([Buffer.from(`${sql}\n`), Buffer.from(data)])),
    ]) {
      await server.ask('TRUNCATE TABLE p.t')
      expect((await send()).text).toBe('')
      expect(await stored()).toBe(tsv)
    }
  })

  test('Native and Parquet as the server wrote them, byte for byte', async () => {
    for (const format of ['Native', 'Parquet', 'ArrowStream', 'RowBinaryWithNamesAndTypes']) {
      await server.ask('TRUNCATE TABLE p.t')
      const select = await fetch(
        `${server.url}/?query=${encodeURIComponent(`SELECT 7::UInt64 AS a, 'x' AS b FORMAT ${format}`)}`,
      )
      const body = Buffer.from(await select.arrayBuffer())
      const answer = await server.ask(body, {
        parameters: { query: `INSERT INTO p.t (a, b) FORMAT ${format}` },
      })
      expect(answer.text, format).toBe('')
      expect(await stored()).toBe('7\tx\n')
    }
  })

  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ])('%s bodies, with the statement outside and inside', async (encoding, pack) => {
    const headers = { 'content-encoding': encoding }
    const sql = 'INSERT INTO p.t (a, b) FORMAT TabSeparated'
    expect((await server.ask(pack('1\tone\n'), { headers, parameters: { query: sql } })).text).toBe('')
    expect((await server.ask(pack(`${sql}\n2\ttwo\n`), { headers })).text).toBe('')
    expect(await stored()).toBe(tsv)
  })

  test.each(['zstd', 'lz4'])('%s bodies and answers', async (encoding) => {
    const query = "SELECT 5::UInt64 AS a, 'five' AS b FORMAT TabSeparated"
    const packed = await rawGet(`?enable_http_compression=1&query=${encodeURIComponent(query)}`, {
      'accept-encoding': encoding,
    })
    expect(packed.headers['content-encoding']).toBe(encoding)
    const parameters = { query: 'INSERT INTO p.t (a, b) FORMAT TabSeparated' }
    expect(
      (await server.ask(packed.body, { headers: { 'content-encoding': encoding }, parameters })).text,
    ).toBe('')
    const inside = 'INSERT INTO p.t (a, b) FORMAT TabSeparated\n6\tsix\n'
    const query6 = `SELECT ${JSON.stringify(inside).replaceAll('"', "'")} FORMAT RawBLOB`
    const path6 = `?enable_http_compression=1&query=${encodeURIComponent(query6)}`
    const packed6 = await rawGet(path6, { 'accept-encoding': encoding })
    expect((await server.ask(packed6.body, { headers: { 'content-encoding': encoding } })).text).toBe('')
    expect(await stored()).toBe('5\tfive\n6\tsix\n')
  })

  test('broken data names its row and inserts nothing', async () => {
    const answer = await server.ask('INSERT INTO p.t (a, b) FORMAT TabSeparated\n1\tone\nx\ttwo\n')
    expect(answer).toMatchObject({ code: '27', status: 400 })
    expect(await stored()).toBe('')
  })

  test('an upload that breaks off inserts nothing', async () => {
    const sql = encodeURIComponent('INSERT INTO p.t (a, b) FORMAT TabSeparated')
    await new Promise<void>((resolve) => {
      const upload = httpRequest(`${server.url}/?query=${sql}`, { method: 'POST' })
      upload.on('error', () => resolve())
      upload.write('1\tone\n'.repeat(10_000))
      setTimeout(() => upload.destroy(), 100)
    })
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(await stored()).toBe('')
  })

  test('INSERT … SELECT, and settings in the text', async () => {
    expect((await server.ask("INSERT INTO p.t SELECT number, 'n' FROM numbers(2)")).text).toBe('')
    const sql =
      "INSERT INTO p.t (a, b) SETTINGS insert_deduplication_token = 'x', async_insert = 0 FORMAT CSV\n9,nine\n"
    expect((await server.ask(sql)).text).toBe('')
    expect((await server.ask('SELECT count() FROM p.t')).text).toBe('3\n')
  })
})

/** Bytes as they came over the wire. */
function rawGet(path: string, headers: Record<string, string>) {
  interface RawAnswer {
    status: number | undefined
    headers: NodeJS.Dict<string | string[]>
    body: Buffer
    aborted: boolean
  }
  return new Promise<RawAnswer>((resolve) => {
    httpRequest(`${server.url}/${path}`, { headers }, (response) => {
      const chunks: Buffer[] = []
      const end = (aborted: boolean) =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          body: Buffer.concat(chunks),
          aborted,
        })
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => end(false))
      response.on('error', () => end(true))
    }).end()
  })
}

describe('answers', () => {
  test('carry the headers and content types of ClickHouse', async () => {
    const answer = await server.ask('SELECT 1 AS x FORMAT JSON', { parameters: { query_id: 'my-id' } })
    expect(answer.headers.get('x-clickhouse-query-id')).toBe('my-id')
    expect(answer.headers.get('x-clickhouse-format')).toBe('JSON')
    expect(answer.headers.get('content-type')).toBe('application/json; charset=UTF-8')
    expect(JSON.parse(answer.headers.get('x-clickhouse-summary') ?? '')).toMatchObject({ read_rows: '1' })
  })

  test('are gzipped when asked for, and only then', async () => {
    const query = encodeURIComponent('SELECT number FROM numbers(3)')
    const packed = await rawGet(`?enable_http_compression=1&query=${query}`, { 'accept-encoding': 'gzip' })
    expect(gunzipSync(packed.body).toString()).toBe('0\n1\n2\n')
    const plain = await rawGet(`?query=${query}`, { 'accept-encoding': 'gzip' })
    expect(plain.body.toString()).toBe('0\n1\n2\n')
  })

  test('that fail after they began break the connection instead of ending well', async () => {
    const query = encodeURIComponent('SELECT throwIf(number = 3000000) AS x, number FROM numbers(4000000)')
    const answer = await rawGet(`?max_block_size=1000&query=${query}`, {})
    expect(answer.aborted).toBe(true)
    expect(answer.body.length).toBeGreaterThan(0)
    const whole = await server.ask('SELECT throwIf(number = 3000000) AS x, number FROM numbers(4000000)', {
      parameters: { wait_end_of_query: '1' },
    })
    expect(whole.code).toBe('395')
  })

  test.each([
    ['SELECT 1; SELECT 2', '62', 400],
    ["SELECT 1 INTO OUTFILE '/tmp/x'", '48', 501],
    ["INSERT INTO p.t FROM INFILE '/etc/hostname' FORMAT TSV", '48', 501],
    ['', '62', 400],
    ["SELECT toUInt8('x')", '6', 400],
    ['SELECT * FROM nodb.t', '81', 404],
  ])('%s: code %s and status %d', async (sql, code, status) => {
    expect(await server.ask(sql)).toMatchObject({ code, status })
  })

  test('by GET change nothing', async () => {
    const sql = "INSERT INTO p.t VALUES (1, 'x')"
    expect(await server.ask(sql, { method: 'GET' })).toMatchObject({ code: '164' })
    expect(await server.ask('DROP TABLE p.t', { method: 'GET' })).toMatchObject({ code: '164' })
    expect((await server.ask('SELECT 1', { method: 'GET' })).text).toBe('1\n')
  })

  test.each([
    [{ compress: '1' }, {}],
    [{ decompress: '1' }, {}],
    [{ role: 'x' }, {}],
    [{}, { 'content-type': 'multipart/form-data; boundary=x' }],
    [{}, { 'content-encoding': 'snappy' }],
  ])('refuse plainly what is not served: %j %j', async (parameters, headers) => {
    const answer = await server.ask('SELECT 1', { parameters: parameters as Record<string, string>, headers })
    expect(answer).toMatchObject({ code: '48', status: 501 })
  })
})

describe('a web page on this machine', () => {
  test('cannot use the administrator, who has no password', async () => {
    const headers = { origin: 'https://example.com' }
    const answer = await server.ask('CREATE TABLE p.planted (a UInt8) ENGINE = Memory', { headers })
    expect(answer).toMatchObject({ status: 403, code: '497' })
    expect(answer.text).toContain('web page')
    const rebound = await rawGet('?query=SELECT+1', { host: 'rebound.example.com' })
    expect(rebound.status).toBe(403)
    expect((await server.ask('EXISTS TABLE p.planted')).text).toBe('0\n')
    expect((await server.ask('SELECT 1 AS x', { user: 'bi', headers })).text).toBe('1\n')
  })
})

describe('broken requests', () => {
  test('are answered or dropped, and the server goes on', async () => {
    const packed = gzipSync(`INSERT INTO p.t (a, b) FORMAT TabSeparated\n${'1\tone\n'.repeat(200_000)}`)
    const bodies: [Record<string, string>, Buffer][] = [
      [{ 'content-encoding': 'gzip' }, Buffer.from('no gzip at all')],
      [{ 'content-encoding': 'gzip' }, packed.subarray(0, packed.length / 2)],
      [{ 'content-encoding': 'lz4' }, Buffer.from('no lz4 at all')],
      [{ 'content-encoding': 'zstd' }, packed],
      [{}, Buffer.from([0, 255, 1, 254])],
      [{}, Buffer.from(`SELECT ${'('.repeat(5000)}`)],
      [{ authorization: 'Basic nonsense' }, Buffer.from('SELECT 1')],
      [{ 'x-clickhouse-format': "TSV'" }, Buffer.from('SELECT 1')],
    ]
    for (const [headers, body] of bodies) {
      const answer = await server.ask(body, { headers })
      expect(answer.status, answer.text).toBeGreaterThanOrEqual(400)
    }
    for (const path of [
      '?query=%zz',
      '?query=%00',
      '//',
      '/nothing',
      `?query=SELECT+1&${'x=1&'.repeat(1000)}`,
    ]) {
      expect((await rawGet(path, {})).aborted).toBe(false)
    }
    // Uploads that break off at every stage of a packed body.
    for (const part of [0.1, 0.5, 0.9]) {
      await new Promise<void>((resolve) => {
        const upload = httpRequest(server.url, { method: 'POST', headers: { 'content-encoding': 'gzip' } })
        upload.on('error', () => resolve())
        upload.write(packed.subarray(0, packed.length * part))
        setTimeout(() => upload.destroy(), 50)
      })
    }
    expect((await server.ask('SELECT count() FROM p.t')).text).toBe('0\n')
  })
})

describe('sessions, running queries, concurrency', () => {
  test('a session keeps its temporary table and its database, a setting of one request ends with it', async () => {
    const session = { parameters: { session_id: 's1' } }
    await server.ask('CREATE TEMPORARY TABLE mine (a UInt8)', session)
    await server.ask('INSERT INTO mine VALUES (4)', session)
    expect((await server.ask('SELECT a FROM mine', session)).text).toBe('4\n')
    await server.ask('USE p', session)
    expect((await server.ask('SELECT currentDatabase()', session)).text).toBe('p\n')
    await server.ask('SELECT 1', { parameters: { session_id: 's1', max_block_size: '77' } })
    expect((await server.ask("SELECT getSetting('max_block_size') = 77", session)).text).toBe('0\n')
    expect((await server.ask('SELECT a FROM mine')).code).toBe('60')
    const busy = server.ask('SELECT sleep(0.5)', session)
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect((await server.ask('SELECT 1', session)).code).toBe('373')
    await busy
    expect(
      (await server.ask('SELECT 1', { parameters: { session_id: 'none', session_check: '1' } })).code,
    ).toBe('372')
  })

  test('KILL QUERY finds a query by the id its client gave it; the same id twice at once is refused', async () => {
    const long = server.ask('SELECT count() FROM system.numbers', { parameters: { query_id: 'to/kill 1' } })
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect((await server.ask('SELECT 1', { parameters: { query_id: 'to/kill 1' } })).code).toBe('216')
    expect((await server.ask("KILL QUERY WHERE query_id = 'to/kill 1' SYNC")).status).toBe(200)
    expect((await long).code).toBe('394')
  })

  test('eight readers and a writer run side by side, and look-ups do not wait for a slow query', async () => {
    const slow = server.ask('SELECT sleep(2)')
    const from = performance.now()
    const writer = (async () => {
      for (let i = 0; i < 10; i += 1)
        await server.ask(`INSERT INTO p.t SELECT number + ${i * 1000}, 'w' FROM numbers(1000)`)
    })()
    const readers = Array.from({ length: 8 }, async () => {
      for (let i = 0; i < 10; i += 1)
        expect((await server.ask('SELECT count() % 1000 FROM p.t')).text).toBe('0\n')
    })
    await Promise.all([writer, ...readers])
    const took = performance.now() - from
    await slow
    expect(took).toBeLessThan(performance.now() - from)
    expect((await server.ask('SELECT count(), uniqExact(a) FROM p.t')).text).toBe('10000\t10000\n')
  })
})
