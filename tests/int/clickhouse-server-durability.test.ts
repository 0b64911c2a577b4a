import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { startServer, type TestServer, temporaryFolder } from './clickhouse-server-process.ts'

let folder: ReturnType<typeof temporaryFolder>
let server: TestServer
const folders: { remove(): void }[] = []

// A server costs more than most of what is tested on it: one that still runs is used again, one that was ended is not.
beforeEach(async () => {
  if (server && server.process.exitCode === null && server.process.signalCode === null) {
    await server.ask('DROP DATABASE IF EXISTS d SYNC')
    return
  }
  folder = temporaryFolder()
  folders.push(folder)
  server = await startServer(folder.path)
})

afterAll(async () => {
  await server?.end('SIGKILL')
  for (const one of folders) one.remove()
})

const TABLES = [
  'CREATE DATABASE d',
  'CREATE TABLE d.rows (n UInt64, p UInt16) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 1000',
  'CREATE TABLE d.sums (p UInt16, c SimpleAggregateFunction(sum, UInt64)) ENGINE = AggregatingMergeTree ORDER BY p SETTINGS non_replicated_deduplication_window = 1000',
  'CREATE MATERIALIZED VIEW d.view TO d.sums AS SELECT p, count() AS c FROM d.rows GROUP BY p',
]

async function makeTables(): Promise<void> {
  for (const sql of TABLES) expect((await server.ask(sql)).text).toBe('')
}

/** A cut: `count` rows from `first` on, as ingest sends it. */
function insertCut(first: number, count: number, headers: Record<string, string> = {}) {
  const body = Buffer.alloc(count * 8)
  for (let i = 0; i < count; i += 1) body.writeBigUInt64LE(BigInt(first + i), i * 8)
  const sql = "INSERT INTO d.rows (n, p) SELECT *, {p:UInt16} FROM input('n UInt64') FORMAT RowBinary\n"
  return server.ask(Buffer.concat([Buffer.from(sql), body]), {
    headers,
    parameters: {
      param_p: '3',
      insert_deduplication_token: `cut-${first}`,
      deduplicate_blocks_in_dependent_materialized_views: '1',
    },
  })
}

const counts = async () =>
  (await server.ask('SELECT (SELECT count() FROM d.rows), (SELECT sum(c) FROM d.sums)')).text

describe('a cut', () => {
  test('is one block of up to 200,000 rows, and counts once in table and view however often it is sent', async () => {
    await makeTables()
    await server.ask('SYSTEM STOP MERGES d.rows')
    for (let time = 0; time < 3; time += 1) {
      const answer = await insertCut(0, 200_000)
      expect(answer.status).toBe(200)
      expect(JSON.parse(answer.headers.get('x-clickhouse-summary') ?? '{}')).toHaveProperty('written_rows')
    }
    expect(await counts()).toBe('200000\t200000\n')
    expect(
      (await server.ask("SELECT count(), sum(rows) FROM system.parts WHERE table = 'rows' AND active")).text,
    ).toBe('1\t200000\n')
  })

  test('whose deadline has passed is refused, and nothing of it is written', async () => {
    await makeTables()
    const late = await insertCut(0, 10, { 'x-ebb-insert-deadline': String(Date.now() - 1) })
    expect(late).toMatchObject({ status: 408, code: '159' })
    expect(late.text).toContain('nothing was written')
    const unreadable = await insertCut(0, 10, { 'x-ebb-insert-deadline': 'soon' })
    expect(unreadable.code).toBe('159')
    expect(await counts()).toBe('0\t0\n')
    expect((await insertCut(0, 10, { 'x-ebb-insert-deadline': String(Date.now() + 10_000) })).status).toBe(
      200,
    )
    expect(await counts()).toBe('10\t10\n')
  })
})

describe('a killed server', () => {
  test.each(['clickhouse.before-insert', 'clickhouse.after-insert-before-answer'])(
    'at %s leaves a state that a retry makes exact',
    async (point) => {
      await makeTables()
      await server.end('SIGTERM')
      server = await startServer(folder.path, { EBB_FAULT: `${point}:2` })
      await insertCut(0, 1000)
      await expect(insertCut(1000, 1000)).rejects.toThrow()
      server = await startServer(folder.path)
      expect((await insertCut(1000, 1000)).status).toBe(200)
      expect((await insertCut(0, 1000)).status).toBe(200)
      expect(await counts()).toBe('2000\t2000\n')
    },
  )

  test('loses no acknowledged cut, and every cut retried with its token counts once', async () => {
    await makeTables()
    const acknowledged = new Set<number>()
    for (let round = 0; round < 2; round += 1) {
      const tries = Array.from({ length: 20 }, (_, n) => round * 20 + n)
      const work = (async () => {
        for (const n of tries) {
          const answer = await insertCut(n * 500, 500).catch(() => undefined)
          if (answer?.status === 200) acknowledged.add(n)
        }
      })()
      await new Promise((resolve) => setTimeout(resolve, 60 + round * 70))
      await server.end('SIGKILL')
      await work
      server = await startServer(folder.path)
      const stored = (await server.ask('SELECT DISTINCT intDiv(n, 500) FROM d.rows')).text
        .split('\n')
        .map(Number)
      for (const n of acknowledged) expect(stored).toContain(n)
      for (const n of tries) await insertCut(n * 500, 500)
    }
    expect(await counts()).toBe('20000\t20000\n')
  })

  test('between log line and part would lose the retried rows; the repair at the start brings them back', async () => {
    await makeTables()
    await insertCut(0, 1000)
    await insertCut(1000, 1000)
    const path = (await server.ask("SELECT data_paths[1] FROM system.tables WHERE name = 'rows'")).text.trim()
    const removeLastPart = async () => {
      await server.ask('DETACH TABLE d.rows')
      const last = readdirSync(path).find((name) => name.startsWith('all_2_2_'))
      rmSync(join(path, last ?? 'none'), { recursive: true })
    }
    await server.ask('SYSTEM STOP MERGES d.rows')
    await removeLastPart()
    // The gap without the repair: the table is loaded as the crash left it.
    expect((await server.ask('ATTACH TABLE d.rows')).text).toBe('')
    expect((await insertCut(1000, 1000)).status).toBe(200)
    expect(await counts(), 'the retry is taken for a duplicate').toBe('1000\t2000\n')
    // The same state, opened by a server that repairs first.
    await server.end('SIGKILL')
    server = await startServer(folder.path)
    expect((await insertCut(1000, 1000)).status).toBe(200)
    expect(await counts()).toBe('2000\t2000\n')
  })
})

describe('the server', () => {
  test('refuses a folder that another server holds, says who, and leaves that one alone', async () => {
    await makeTables()
    await expect(startServer(folder.path)).rejects.toThrow(/in use: a ClickHouse server \(pid \d+\)/)
    expect((await insertCut(0, 10)).status).toBe(200)
  })

  test('lets running statements end on SIGTERM, refuses new ones, and is back in about a second', async () => {
    await makeTables()
    await insertCut(0, 1000)
    const running = server.ask('SELECT sleep(1)')
    await new Promise((resolve) => setTimeout(resolve, 200))
    const endMs = server.end('SIGTERM')
    expect((await running).text).toBe('0\n')
    expect(await endMs).toBeLessThan(3000)
    server = await startServer(folder.path)
    expect(await counts()).toBe('1000\t1000\n')
    // Node and the engine's library take most of it; the bound leaves room for a busy machine.
    expect(server.startMs).toBeLessThan(5000)
  })

  test('stops statements that do not end by themselves after SIGTERM', async () => {
    const endless = server.ask('SELECT count() FROM system.numbers').catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(await server.end('SIGTERM')).toBeLessThan(8000)
    await endless
  })

  test('removes old parts from the disk within seconds', async () => {
    await makeTables()
    await insertCut(0, 1000)
    await server.ask('ALTER TABLE d.rows DELETE WHERE n < 500', { parameters: { mutations_sync: '2' } })
    const inactive = async () =>
      (await server.ask("SELECT count() FROM system.parts WHERE table = 'rows' AND NOT active")).text
    await expect.poll(inactive, { timeout: 10_000, interval: 200 }).toBe('0\n')
  })

  test('makes no backup on its own disk, where nothing would let it expire', async () => {
    await makeTables()
    await insertCut(0, 10)
    for (const place of [
      "Disk('default', 'one')",
      "Disk('backups', 'one')",
      "File('/tmp/elsewhere')",
      "File('one')",
    ]) {
      expect(await server.ask(`BACKUP TABLE d.rows TO ${place}`), place).toMatchObject({ code: '318' })
    }
  })
})
