import type { Command } from 'commander'
import { readConfig } from '../runtime/config.ts'
import type { PlatformOptions, RunningPlatform } from '../services/start-platform.ts'

/** `ebb up`: engines and processes in the foreground until Ctrl-C. */
export function define(command: Command): void {
  command
    .option('--free-ports', 'take free ports instead of the usual ones (8080, 8081, 8123, 9092 ...)')
    .addHelpText(
      'after',
      '\nData, logs and pid files are in EBB_HOME (default: .ebb in the project). An engine whose URL is in the\n' +
        'environment (EBB_KAFKA_BROKERS, EBB_CLICKHOUSE_URL, EBB_POSTGRES_URL, EBB_TEMPORAL_ADDRESS,\n' +
        'EBB_S3_ENDPOINT) is used as it is, and nothing is started for it.',
    )
    .action(async (options: { freePorts?: boolean }) => up(options.freePorts ? 'free' : 'preferred'))
}

async function up(ports: PlatformOptions['ports']): Promise<void> {
  const { startPlatform } = await import('../services/start-platform.ts')
  const { home } = readConfig()
  let platform: RunningPlatform | null = null
  let stopping = false
  const stop = async (signal: string) => {
    if (stopping) return
    stopping = true
    // Still starting: the guard ends what runs already once we are gone.
    if (!platform) process.exit(130)
    say(`${signal}: stopping`)
    await platform.stop()
    say('stopped; the data stays in EBB_HOME')
    process.exit(0)
  }
  const onSignal = (signal: string) => {
    stop(signal).catch((error: Error) => {
      say(error.message)
      process.exit(1)
    })
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, onSignal)

  platform = await startPlatform({ home, ports, keepAlive: true, onProgress: say })
  say(describe(platform))
  // Children are detached and watched without a handle: this keeps us in the foreground.
  setInterval(() => undefined, 60_000)
}

/** Where to look, one line a place. */
export function describe(
  platform: Pick<RunningPlatform, 'collectorUrl' | 'gatewayUrl' | 'environment'>,
): string {
  const { environment } = platform
  const rows = [
    ['collector', platform.collectorUrl],
    ['gateway', platform.gatewayUrl],
    ['Temporal UI', environment.EBB_TEMPORAL_UI_URL],
    ['ClickHouse', environment.EBB_CLICKHOUSE_URL],
    ['Kafka', environment.EBB_KAFKA_BROKERS],
    ['Postgres', environment.EBB_POSTGRES_URL],
    ['S3', environment.EBB_S3_ENDPOINT],
    ['data and logs', environment.EBB_HOME],
  ]
  const lines = rows.map(([name, place]) => `  ${name?.padEnd(14)} ${place ?? '-'}`)
  return ['Ebb is up', ...lines, '  Ctrl-C stops it; `npm run ebb -- status` shows its state'].join('\n')
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
