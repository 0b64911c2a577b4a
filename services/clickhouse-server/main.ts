import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { verifierPassword } from '../../clickhouse/verifier-user.ts'
import { readConfig } from '../../runtime/config.ts'
import { claimData } from './claim-data.ts'
import { type Engine, openEngine } from './engine.ts'
import { createHttpServer } from './http-server.ts'
import { killAll } from './kill-query.ts'
import { codeOf } from './map-error.ts'
import { repairDedupLogs } from './repair-dedup-log.ts'
import { createRestrictedUsers } from './restricted-user.ts'
import { CONCURRENCY, createSessionPool } from './session-pool.ts'
import { createSpool } from './spool-body.ts'
import { createPartSpreader } from './spread-parts.ts'
import { listUsers, type User } from './users.ts'
import { writeConfig } from './write-config.ts'

const NATIVE_THREADS = CONCURRENCY + 8
/** How long running statements may go on after SIGTERM, before they are stopped. */
const DRAIN_MS = 3000
/** How long a client may take to read its last answer. */
const FLUSH_MS = 1000

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    port: { type: 'string', default: '8123' },
    host: { type: 'string', default: '127.0.0.1' },
    'allow-hosts': { type: 'string', default: '' },
  },
})

async function main(): Promise<void> {
  const dataPath = resolve(values.data ?? '.ebb/clickhouse')
  mkdirSync(dataPath, { recursive: true, mode: 0o700 })
  const release = await claimData(dataPath).catch((error: Error) => die(error.message))
  const dropped = repairDedupLogs(dataPath)
  if (dropped > 0) console.log(JSON.stringify({ msg: 'deduplication log repaired', dropped }))
  const { clickhouse, verifier } = readConfig()
  const users = listUsers({
    bi: clickhouse.biPassword || 'bi',
    verifier: verifierPassword(verifier.clickhouseUrl),
  })
  const engine = open(dataPath, users, clickhouse.memoryBytes)
  const spool = createSpool(CONCURRENCY)
  const pool = createSessionPool(engine)
  const restricted = await createRestrictedUsers(engine, users)
  const parts = createPartSpreader(dataPath)
  parts.spread()
  const allowedHosts = values['allow-hosts'].split(',').filter(Boolean)
  const server = createHttpServer({ engine, pool, spool, parts, users, restricted, allowedHosts })
  server.once('error', (error) => die(`cannot listen on ${values.host}:${values.port}: ${error.message}`))
  server.listen(Number(values.port), values.host, () => {
    const { port } = server.address() as AddressInfo
    console.log(JSON.stringify({ msg: 'ready', url: `http://${values.host}:${port}`, pid: process.pid }))
  })

  const stop = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    const killer = setTimeout(() => void killAll(engine), DRAIN_MS)
    await pool.drain()
    clearTimeout(killer)
    // The last answers are still on their way when their statements have ended.
    const sweep = setInterval(() => server.closeIdleConnections(), 10)
    setTimeout(() => server.closeAllConnections(), FLUSH_MS).unref()
    await closed
    clearInterval(sweep)
    engine.shutDown()
    spool.close()
    release()
    process.exit(0)
  }
  process.once('SIGTERM', () => void stop())
  process.once('SIGINT', () => void stop())
}

function open(dataPath: string, users: User[], memoryBytes: number): Engine {
  try {
    return openEngine(dataPath, writeConfig(dataPath, users, memoryBytes))
  } catch (error) {
    const reason = codeOf(error) === 76 ? 'another process uses it' : (error as Error).message
    return die(`cannot open the data folder ${dataPath}: ${reason}`)
  }
}

function die(message: string): never {
  console.error(JSON.stringify({ msg: message }))
  process.exit(1)
}

/**
 * Node sizes its pool of native threads before the first line of a script, and each statement takes one of them for as
 * long as it runs. A process that was started without the size starts itself again; both end together.
 */
function startAgain(): void {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    env: { ...process.env, UV_THREADPOOL_SIZE: String(NATIVE_THREADS) },
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    process.kill(process.pid, signal)
  })
}

// Node's own key, and no setting of the product: hence not in runtime/config.ts.
if (process.env.UV_THREADPOOL_SIZE === undefined) {
  startAgain()
} else {
  // The channel closes when the first process is gone, however it went.
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  await main()
}
