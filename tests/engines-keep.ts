import { readFile, rm, writeFile } from 'node:fs/promises'
import { build } from '../services/build.mjs'
import { startTestEngines } from './engines.ts'

// Keeps engines running between test runs: `node --import tsx tests/engines-keep.ts engines.json`, then
// `EBB_TEST_ENGINES=engines.json npx vitest run --project 'int*'`. Ctrl-C stops them;
// SIGHUP builds and restarts ClickHouse, the one engine whose code is ours, on the same port and data.
const file = process.argv[2] ?? 'engines.json'
build()
const engines = await startTestEngines()
const written = JSON.stringify(engines.environment, null, 2)
await writeFile(file, written)
console.log(`engines are up; their environment is in ${file}`)

async function restartOurs(): Promise<void> {
  build()
  await engines.restart('clickhouse')
}

let stopping = false
const stop = async () => {
  if (stopping) return
  stopping = true
  await engines.stop()
  // Only our own: another may keep engines under the same name by now.
  const kept = await readFile(file, 'utf8').catch(() => '')
  if (kept === written) await rm(file)
  process.exit(0)
}
process.on('SIGHUP', () => {
  restartOurs().then(
    () => console.log('clickhouse: restarted'),
    (error: Error) => console.error(error.message),
  )
})
process.on('SIGINT', stop)
process.on('SIGTERM', stop)
setInterval(() => undefined, 60_000)
