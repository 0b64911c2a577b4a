import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../runtime/project-root.ts'
import {
  addCounts,
  type Counts,
  countResults,
  describeTimes,
  slowestFiles,
  type TierTime,
  type VitestReport,
} from './count-results.ts'
import { startTestEngines } from './engines.ts'

// `npm test`: every tier on the real engines; `npm test -- unit` or `-- int e2e` for some. The engines are fetched and
// started while the units run, and shared by the other tiers, which run as one: each leaves half of the machine idle, waiting.
// The last line is for machines: `N passed, N failed, N skipped`.
const TIERS = ['unit', 'int', 'e2e'] as const
type Tier = (typeof TIERS)[number]
const RUNS: readonly (readonly Tier[])[] = [['unit'], ['int', 'e2e']]

const VITEST = join(PROJECT_ROOT, 'node_modules', 'vitest', 'vitest.mjs')
// A run that hangs must not hang whoever waits for the verdict.
const RUN_LIMIT_MS = 60 * 60_000

async function main(asked: string[]): Promise<number> {
  const unknown = asked.filter((name) => !(TIERS as readonly string[]).includes(name))
  if (unknown.length > 0) {
    process.stderr.write(`unknown tier ${unknown.join(', ')}; there are ${TIERS.join(', ')}\n`)
    return 2
  }
  const tiers = asked.length > 0 ? TIERS.filter((tier) => asked.includes(tier)) : TIERS
  const scratch = await mkdtemp(join(tmpdir(), 'ebb-run-'))
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
  const engines = prepareEngines(tiers, scratch)
  // Awaited below; until then a failure must not end the units that run meanwhile.
  engines.catch(() => undefined)
  const took: TierTime[] = []
  let total: Counts = { passed: 0, failed: 0, skipped: 0 }
  try {
    for (const run of RUNS) {
      const together = run.filter((tier) => tiers.includes(tier))
      if (together.length === 0) continue
      const environment = together.includes('unit')
        ? {}
        : await engines.then((running) => running.environment)
      const startedAt = Date.now()
      total = addCounts(total, await runTiers(together, scratch, environment, interrupted.signal))
      took.push({ tier: together.join(' and '), ms: Date.now() - startedAt })
    }
  } catch (error) {
    const said = interrupted.signal.aborted
      ? 'interrupted'
      : `the engines did not start: ${(error as Error).message}`
    process.stderr.write(`${said}\n`)
    total = addCounts(total, { passed: 0, failed: 1, skipped: 0 })
  } finally {
    await engines.then(
      (running) => running.stop(),
      () => undefined,
    )
    await rm(scratch, { recursive: true, force: true })
  }
  process.stdout.write(`${describeTimes(took).join('\n')}\n`)
  process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
  return total.failed > 0 || total.passed === 0 ? 1 : 0
}

async function prepareEngines(
  tiers: readonly Tier[],
  scratch: string,
): Promise<{ environment: Record<string, string>; stop(): Promise<void> }> {
  if (!tiers.some((tier) => tier !== 'unit') || process.env.EBB_TEST_ENGINES) {
    return { environment: {}, stop: async () => undefined }
  }
  const engines = await startTestEngines()
  const file = join(scratch, 'engines.json')
  await writeFile(file, JSON.stringify(engines.environment))
  return { environment: { EBB_TEST_ENGINES: file }, stop: engines.stop }
}

/** @param signal ends it. @throws an AbortError then */
async function runTiers(
  tiers: readonly Tier[],
  scratch: string,
  environment: Record<string, string>,
  signal: AbortSignal,
): Promise<Counts> {
  signal.throwIfAborted()
  const title = tiers.join(' and ')
  process.stdout.write(`\n== ${title}\n`)
  const output = join(scratch, `${tiers.join('-')}.json`)
  const args = [
    'run',
    ...tiers.flatMap((tier) => ['--project', `${tier}*`]),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${output}`,
  ]
  const child = spawn(process.execPath, [VITEST, ...args, '--passWithNoTests'], {
    cwd: PROJECT_ROOT,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'inherit', 'inherit'],
    // A signal may be for us alone: what we started would go on, over engines that are gone.
    signal,
  })
  const timer = setTimeout(() => {
    process.stderr.write(`${title}: still running after ${RUN_LIMIT_MS / 60_000} minutes, ended\n`)
    child.kill('SIGKILL')
  }, RUN_LIMIT_MS)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  clearTimeout(timer)
  const report = await readFile(output, 'utf8').then(
    (text) => JSON.parse(text) as VitestReport,
    () => null,
  )
  process.stdout.write(`${title}, slowest: ${slowestFiles(report, 5).join(', ')}\n`)
  return countResults(report, code)
}

process.exit(await main(process.argv.slice(2)))
