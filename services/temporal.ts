import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { PROJECT_ROOT } from '../runtime/project-root.ts'
import { SEARCH_ATTRIBUTES } from '../schemas/search-attributes.ts'
import {
  canConnect,
  type EngineContext,
  parseAddress,
  requireReachable,
  type StartedEngine,
} from './engine.ts'
import { findGoTool } from './go-tool.ts'
import { superviseProcess } from './supervise-process.ts'

const PREFERRED_PORT = 7233
const PREFERRED_UI_PORT = 8233

/** How long the UI still shows what has ended; the server's own default is a day. */
const KEPT = '720h'

/** The namespace is there once the UI answers. Without it all works as well, and less is to be seen: a failure is told, and no more. */
async function keepEnded(temporal: string, address: string, { home, report }: EngineContext): Promise<void> {
  const update = ['operator', 'namespace', 'update', '--namespace', 'default', '--retention', KEPT]
  // No profile of the user's: it may speak of another server.
  const options = { env: { HOME: join(home, 'temporal') }, timeout: 30_000 }
  await promisify(execFile)(temporal, [...update, '--address', address], options).catch(() =>
    report('temporal: did not take its retention, ended runs are shown for a day'),
  )
}

/** Temporal's development server with its Web UI, state in `<home>/temporal/temporal.db`. */
export async function startTemporal(context: EngineContext): Promise<StartedEngine> {
  const given = context.environment.EBB_TEMPORAL_ADDRESS
  if (given) {
    const { host, port } = parseAddress(given, PREFERRED_PORT)
    await requireReachable('EBB_TEMPORAL_ADDRESS', host, port)
    const uiUrl = context.environment.EBB_TEMPORAL_UI_URL ?? `http://${host}:${PREFERRED_UI_PORT}`
    return { environment: { EBB_TEMPORAL_ADDRESS: given, EBB_TEMPORAL_UI_URL: uiUrl }, process: null }
  }
  const temporal = await findGoTool(
    {
      name: 'temporal',
      version: '1.5.1-sqlite-1.44.3',
      module: 'github.com/temporalio/cli/cmd/temporal',
      pinnedBy: join(PROJECT_ROOT, 'services/temporal-server'),
      takes: 'about 4 minutes',
      neededFor: 'Temporal',
      environmentKey: 'EBB_TEMPORAL_ADDRESS',
    },
    context,
  )
  const port = await context.ports.take(PREFERRED_PORT)
  const uiPort = await context.ports.take(PREFERRED_UI_PORT)
  const folder = join(context.home, 'temporal')
  await mkdir(folder, { recursive: true })
  const attributes = Object.entries(SEARCH_ATTRIBUTES).flatMap(([name, type]) => [
    '--search-attribute',
    `${name}=${type}`,
  ])
  const child = await superviseProcess(context.home, {
    name: 'temporal',
    command: temporal,
    args: [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort)],
      ...['--db-filename', join(folder, 'temporal.db'), '--log-level', 'error', ...attributes],
      // With SQLite's own default, a rollback journal, each commit keeps all readers out.
      ...['--sqlite-pragma', 'journal_mode=WAL'],
    ],
    // Its garbage is much and its heap is small: collected less often, it takes a tenth less CPU and some 150 MB more memory.
    environment: { GOGC: '400', ...context.environment },
    // The UI is started after the frontend serves and the namespace and search attributes exist.
    isReady: async () => (await canConnect('127.0.0.1', port)) && (await canConnect('127.0.0.1', uiPort)),
    report: context.report,
    stopTimeoutMs: 15_000,
  })
  await keepEnded(temporal, `127.0.0.1:${port}`, context)
  return {
    environment: {
      EBB_TEMPORAL_ADDRESS: `127.0.0.1:${port}`,
      EBB_TEMPORAL_UI_URL: `http://127.0.0.1:${uiPort}`,
    },
    process: child,
  }
}
