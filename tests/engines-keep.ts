import { rm, writeFile } from 'node:fs/promises'
import { startTestEngines } from './engines.ts'

// Keeps engines running between test runs: `node --import tsx tests/engines-keep.ts engines.json`, then
// `EBB_TEST_ENGINES=engines.json npx vitest run --project int`. Ctrl-C stops them.
const file = process.argv[2] ?? 'engines.json'
const engines = await startTestEngines()
await writeFile(file, JSON.stringify(engines.environment, null, 2))
console.log(`engines are up; their environment is in ${file}`)

let stopping = false
const stop = async () => {
  if (stopping) return
  stopping = true
  await rm(file, { force: true })
  await engines.stop()
  process.exit(0)
}
process.on('SIGINT', stop)
process.on('SIGTERM', stop)
setInterval(() => undefined, 60_000)
