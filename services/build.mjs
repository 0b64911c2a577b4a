// Bundles every script that runs as a process into dist/: `node services/build.mjs`. Plain JavaScript, since it runs before
// anything of ours is compiled; for the same reason it stays out of the bundles itself.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const KEPT_MS = 7 * 86_400_000

/** Every script that is run as a process of its own, by its path from the project's root. */
export const SCRIPTS = [
  'collector/main.ts',
  'gateway/main.ts',
  'workers/ingest/main.ts',
  'workers/temporal/main.ts',
  'workers/verifier/main.ts',
  'workers/witness/main.ts',
  'services/clickhouse-server/main.ts',
  'services/sweep-home.ts',
  'cli/demo.ts',
  'cli/ebb.ts',
  'bench/erasures.ts',
  'bench/gate.ts',
  'bench/load-generator.ts',
  'bench/run.ts',
  'drills/crash.ts',
  'drills/erasure.ts',
  'drills/reidentify.ts',
  'drills/saga.ts',
  'drills/shared-devices.ts',
  'tests/destroy-secrets-process.ts',
  'tests/run.ts',
]

/**
 * Brings `<root>/dist` up to date with the sources, while others may build it or run from it: a file is written only when it
 * differs, in one step, and what the scripts share has a name made of its content and is there before the script that wants it.
 * @throws Error with one line for people
 */
export function build(root = ROOT, scripts = SCRIPTS) {
  const dist = join(root, 'dist')
  try {
    const files = bundle(root, dist, scripts)
    for (const { path, contents } of files) write(path, contents)
    tidy(dist, new Set(files.map(({ path }) => path)))
  } catch (error) {
    throw new Error(`the build failed: ${describe(error)}`, { cause: error })
  }
}

/** Nothing is minified, so that a stack trace can be read: above each module stands its path. */
function bundle(root, dist, scripts) {
  const { outputFiles } = buildSync({
    absWorkingDir: root,
    entryPoints: scripts.map((script) => `./${script}`),
    outbase: root,
    outdir: dist,
    chunkNames: 'shared/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    write: false,
    logLevel: 'silent',
  })
  const isShared = ({ path }) => path.startsWith(join(dist, 'shared') + sep)
  return [...outputFiles.filter(isShared), ...outputFiles.filter((file) => !isShared(file))]
}

function write(path, contents) {
  if (existsSync(path) && readFileSync(path).equals(contents)) return
  const unfinished = `${path}.${process.pid}.tmp`
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(unfinished, contents)
  renameSync(unfinished, path)
}

/** A file that builds make no more may still be loaded by a process that runs: it goes when it has been left over for a week. */
function tidy(dist, made) {
  const record = join(dist, 'left-over.json')
  const known = readRecord(record)
  const left = {}
  for (const path of filesIn(dist)) {
    if (made.has(path) || path === record) continue
    const name = relative(dist, path)
    const since = known[name] ?? Date.now()
    if (Date.now() - since < KEPT_MS || !remove(path)) left[name] = since
  }
  write(record, Buffer.from(JSON.stringify(left, null, 2)))
}

function readRecord(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    // The first build, or a disk that lost it: what is left over then lies a week longer.
    return {}
  }
}

function remove(path) {
  try {
    rmSync(path, { force: true })
    return true
  } catch {
    // Who may only run what is built here leaves it to its owner.
    return false
  }
}

function filesIn(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

function describe(error) {
  const [first, ...others] = error.errors ?? []
  if (!first) return error.message.split('\n')[0]
  const place = first.location ? `${first.location.file}:${first.location.line}: ` : ''
  return `${place}${first.text}${others.length > 0 ? ` (and ${others.length} more)` : ''}`
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    build()
  } catch (error) {
    process.stderr.write(`ebb: ${error.message}\n`)
    process.exit(1)
  }
}
