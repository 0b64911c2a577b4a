import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { openEngine } from './engine.ts'
import { createHttpServer } from './http-server.ts'
import { createSessionPool } from './session-pool.ts'
import { createSpool } from './spool-body.ts'
import { writeConfig } from './write-config.ts'

const THREADS = '24'

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    port: { type: 'string', default: '8123' },
    host: { type: 'string', default: '127.0.0.1' },
  },
})

function main(): void {
  const dataPath = resolve(values.data ?? '.ebb/clickhouse')
  mkdirSync(dataPath, { recursive: true, mode: 0o700 })
  const engine = openEngine(dataPath, writeConfig(dataPath))
  const spool = createSpool(32)
  const pool = createSessionPool(engine)
  const server = createHttpServer({ engine, pool, spool })
  server.listen(Number(values.port), values.host, () => {
    const { port } = server.address() as AddressInfo
    console.log(JSON.stringify({ msg: 'ready', url: `http://${values.host}:${port}`, pid: process.pid }))
  })
  const stop = async () => {
    server.close()
    await pool.drain()
    spool.close()
    process.exit(0)
  }
  process.once('SIGTERM', () => void stop())
  process.once('SIGINT', () => void stop())
}

// libuv sizes its thread pool at the first use, which is before this line: the size has to come with the process.
process.env.UV_THREADPOOL_SIZE ??= THREADS
main()
void spawn
