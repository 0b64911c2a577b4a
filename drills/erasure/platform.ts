import { existsSync } from 'node:fs'
import { chmod, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Config, readConfig } from '../../runtime/config.ts'
import { type RunningPlatform, startPlatform } from '../../services/start-platform.ts'
import { createTemporaryHome } from '../../services/temporary-home.ts'

/** Seconds in which what must age does age: every horizon comes, as in production, only sooner. */
export interface Horizons {
  eventsS: number
  backupS: number
  keyringBackupS: number
  suppressS: number
}

export interface DrillPlatform {
  home: string
  config: Config
  platform: RunningPlatform
  /** Folders with every file that the engines and our processes have written. */
  folders: string[]
  /** That of the development server's bodies on their way, in memory-backed files. */
  spool: string
  stop(): Promise<void>
}

/**
 * Starts a whole platform in a home of its own. Temporary files, reports and logs lie in the home too, so that a scan of it
 * misses none. @param environment more EBB_* keys
 */
export async function startDrillPlatform(options: {
  horizons: Horizons
  environment?: Record<string, string>
  /** Leaves the home behind, to look into. */
  keep?: boolean
  say(line: string): void
}): Promise<DrillPlatform> {
  const home = await createTemporaryHome('ebb-drill-')
  await mkdir(join(home, 'tmp'))
  await chmod(join(home, 'tmp'), 0o1777)
  const { horizons } = options
  const platform = await startPlatform({
    home,
    ports: 'free',
    brief: true,
    onProgress: options.say,
    environment: {
      ...process.env,
      TMPDIR: join(home, 'tmp'),
      EBB_LOG_LEVEL: 'info',
      EBB_REPORTS_FOLDER: join(home, 'reports'),
      EBB_ERASE_GRACE_S: '0',
      EBB_ERASE_BATCH_S: '3',
      EBB_LEASE_S: '5',
      EBB_EVENTS_RETENTION_S: String(horizons.eventsS),
      EBB_BACKUP_RETENTION_S: String(horizons.backupS),
      EBB_KEYRING_BACKUP_RETENTION_S: String(horizons.keyringBackupS),
      EBB_SUPPRESS_S: String(horizons.suppressS),
      ...options.environment,
    },
  }).catch(async (error) => {
    await rm(home, { recursive: true, force: true })
    throw error
  })
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= platform
      .stop()
      .then(() => (options.keep ? undefined : rm(home, { recursive: true, force: true })))
    return stopped
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => stop().finally(() => process.exit(130)))
  }
  const server = platform.processes.find(({ name }) => name === 'clickhouse')
  const spool = join(existsSync('/dev/shm') ? '/dev/shm' : join(home, 'tmp'), `ebb-clickhouse-${server?.pid}`)
  const folders = spool.startsWith(home) ? [home] : [home, spool]
  return { home, config: readConfig(platform.environment), platform, folders, spool, stop }
}
