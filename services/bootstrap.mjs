// Gets a fresh clone ready and runs a script of ours: `node services/bootstrap.mjs cli/demo.ts --events 1000`.
// Nothing may be imported here at once but Node itself and what imports no more: this runs before any package is installed.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chooseNode, Interrupted, thisNode } from './choose-node.mjs'

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const OLDEST_NODE = [20, 15]
const STARTED_AT = Date.now()
const PROGRESS_EVERY_MS = 10_000
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP']

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return
  fail(
    `Ebb needs Node ${OLDEST_NODE.join('.')} or newer; this is ${process.versions.node}. Install one from https://nodejs.org or by \`nvm install 22\`.`,
  )
}

/**
 * True when what is installed is what the lock file asks for. npm writes its own record of the tree as its last step, so
 * an installation that was interrupted has none. Packages for other platforms are optional and may be absent.
 */
export function isInstalled(root) {
  const installedFile = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installedFile)) return false
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || entry.link) return true
    const present = installed[path]
    return present ? present.version === entry.version : Boolean(entry.optional || entry.devOptional)
  })
}

async function install() {
  const startedAt = Date.now()
  const seconds = () => Math.round((Date.now() - startedAt) / 1_000)
  say('installing packages (npm ci), once')
  const timer = setInterval(() => say(`installing packages: ${seconds()} s`), PROGRESS_EVERY_MS)
  // The engines of development are devDependencies: NODE_ENV=production must not leave them out.
  const code = await npmCi(ROOT, ['--include=dev'])
  clearInterval(timer)
  if (code !== 0 || !isInstalled(ROOT)) {
    fail(
      `npm ci failed (exit ${code}); its message is above. Is the package registry reachable (\`npm ping\`)?`,
    )
  }
  say(`packages installed in ${seconds()} s`)
}

function npmCi(folder, more = []) {
  // npm names itself to the scripts it runs; else the one on PATH.
  const npm = process.env.npm_execpath
  const [command, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []]
  const quiet = ['--no-audit', '--no-fund', '--no-progress', '--no-update-notifier', '--loglevel=error']
  const args = [...first, 'ci', '--include=optional', ...more, ...quiet]
  // What a script prints may be for a machine: nothing of npm's stands before it.
  return run(command, args, { cwd: folder, stdio: ['inherit', process.stderr, 'inherit'] })
}

/** The Node that scripts run on: this one, or a newer one. Without a network it is not waited for. */
async function ownNode() {
  const soon = ['--fetch-retries=0', '--fetch-timeout=120000']
  try {
    return await chooseNode(thisNode(say, (folder) => npmCi(folder, soon)))
  } catch (error) {
    if (error instanceof Interrupted) process.exit(error.exitCode)
    throw error
  }
}

/** Each time, since it takes a moment and what runs is then never older than the sources. */
async function buildScripts() {
  try {
    const { build } = await import('./build.mjs')
    build()
  } catch (error) {
    fail(error.code === 'ERR_MODULE_NOT_FOUND' ? 'a package is missing: run `npm ci`' : error.message)
  }
}

/** Runs a command with our terminal; signals that we get are passed on, and we end when it does. */
function run(command, args, options) {
  return new Promise((done) => {
    const child = spawn(command, args, { stdio: 'inherit', ...options })
    const forward = (signal) => child.kill(signal)
    for (const signal of FORWARDED) process.on(signal, forward)
    child.once('error', (error) => {
      say(`${command} cannot be run: ${error.message}`)
      done(127)
    })
    child.once('exit', (code, signal) => {
      for (const name of FORWARDED) process.off(name, forward)
      done(code ?? (signal === 'SIGINT' ? 130 : 143))
    })
  })
}

function say(line) {
  process.stderr.write(`ebb: ${line}\n`)
}

function fail(message) {
  say(message)
  process.exit(1)
}

/** Installs what is missing, builds, then runs `script` (a source's path from the project's root) and ends with its exit code. */
export async function bootstrap(script, args) {
  requireNode()
  if (!isInstalled(ROOT)) await install()
  await buildScripts()
  const node = await ownNode()
  if (!script) return
  // From whatever folder we are called, the data is the clone's.
  const environment = {
    ...process.env,
    EBB_HOME: process.env.EBB_HOME || join(ROOT, '.ebb'),
    // The demo tells how long setting up took, packages included.
    EBB_BOOTSTRAP_AT: String(STARTED_AT),
  }
  const built = join(ROOT, 'dist', script.replace(/\.ts$/, '.js'))
  if (!existsSync(built)) fail(`${script} is no script that runs by itself: services/build.mjs lists them`)
  const code = await run(node, [built, ...args], { env: environment })
  process.exit(code)
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  void bootstrap(process.argv[2], process.argv.slice(3))
}
