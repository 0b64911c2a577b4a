// Which Node our scripts run on. Nothing but Node itself is imported: this runs before any package is installed.
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Names the packages, and pins them. */
const PACKAGES = join(dirname(fileURLToPath(import.meta.url)), 'node-runtime')
/** From here on an event costs a fifth less CPU than on Node 20 (docs/adr/0015). */
const GOOD_MAJOR = 22
/** Where it could not be fetched it is not tried again for a day: each try may hang. */
const REST_MS = 86_400_000

/**
 * The executable of Node: what EBB_NODE names; or this one, unless it is older than 22; then one from the user's cache, or else from
 * the package registry, of the version and with the checksum in node-runtime/. Where that fails, or there is none for this machine,
 * it is this one after all.
 * @param at the Node at hand, its machine and surroundings: thisNode's
 */
export async function chooseNode(at) {
  const { environment, version, say } = at
  if (environment.EBB_NODE) return environment.EBB_NODE
  if (Number(version.split('.')[0]) >= GOOD_MAJOR) return at.execPath
  const name = packageFor(at)
  if (!name) return at.execPath
  const wanted = wantedVersion(name)
  const folder = join(cacheHome(environment), `node-${wanted}`)
  const binary = join(folder, 'node')
  if (existsSync(binary)) return binary
  const failed = `${folder}.failed`
  if (isYoung(failed)) return at.execPath
  say(`fetching Node ${wanted}, once: this one is ${version}, on which Ebb is slower`)
  try {
    await fetchInto(folder, name, at.npmCi)
    return binary
  } catch (error) {
    if (error instanceof Interrupted) throw error
    say(`no Node ${wanted} (${error.message}): going on with ${version}, for a day at least`)
    remember(failed)
    return at.execPath
  }
}

/** Somebody ended what was under way: nothing goes on. */
export class Interrupted extends Error {
  constructor(exitCode) {
    super('interrupted')
    this.exitCode = exitCode
  }
}

function isYoung(file) {
  const stats = statSync(file, { throwIfNoEntry: false })
  return stats !== undefined && Date.now() - stats.mtimeMs < REST_MS
}

function remember(file) {
  try {
    writeFileSync(file, '')
  } catch {
    // A cache that cannot be written: each command tries again.
  }
}

/** The package has a glibc build for Linux; elsewhere people have a newer Node, or live with theirs. */
function packageFor({ platform, arch, isGlibc }) {
  return platform === 'linux' && isGlibc() && ['x64', 'arm64'].includes(arch)
    ? `node-linux-${arch}`
    : undefined
}

function wantedVersion(name) {
  return JSON.parse(readFileSync(join(PACKAGES, 'package.json'), 'utf8')).optionalDependencies[name]
}

/** As in tool-cache.ts. */
function cacheHome({ XDG_CACHE_HOME, HOME }) {
  return join(XDG_CACHE_HOME || join(HOME || homedir(), '.cache'), 'ebb')
}

/** The executable comes to its place in one step: whoever is killed on the way, or does the same, leaves a whole one or none. */
async function fetchInto(folder, name, npmCi) {
  mkdirSync(dirname(folder), { recursive: true })
  const unfinished = mkdtempSync(`${folder}.part-`)
  try {
    for (const file of ['package.json', 'package-lock.json'])
      copyFileSync(join(PACKAGES, file), join(unfinished, file))
    const code = await npmCi(unfinished)
    if (code > 128) throw new Interrupted(code)
    if (code !== 0) throw new Error('npm ci failed')
    const fetched = join(unfinished, 'node_modules', name, 'bin', 'node')
    if (spawnSync(fetched, ['--version']).status !== 0) throw new Error('it does not run here')
    mkdirSync(folder, { recursive: true })
    renameSync(fetched, join(folder, 'node'))
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
}

/** What chooseNode wants to know of this process and machine. @param npmCi runs `npm ci` in a folder and gives its exit code */
export function thisNode(say, npmCi) {
  return {
    environment: process.env,
    version: process.versions.node,
    execPath: process.execPath,
    platform: process.platform,
    arch: process.arch,
    isGlibc: () => process.report.getReport().header.glibcVersionRuntime !== undefined,
    say,
    npmCi,
  }
}
