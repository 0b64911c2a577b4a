import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { VERIFIER_USER } from '../clickhouse/verifier-user.ts'
import { builtScript, PROJECT_ROOT } from '../runtime/project-root.ts'
import { type EngineContext, parseAddress, requireReachable, type StartedEngine } from './engine.ts'
import { superviseProcess } from './supervise-process.ts'

const PREFERRED_PORT = 8123
const SERVER = builtScript('services/clickhouse-server/main.ts')

/** The small ClickHouse server over chdb, data in `<home>/clickhouse`; the verifier's user gets a new password at each start. */
export async function startClickHouse(context: EngineContext): Promise<StartedEngine> {
  const given = context.environment.EBB_CLICKHOUSE_URL
  if (given) {
    const { host, port } = parseAddress(given, PREFERRED_PORT)
    await requireReachable('EBB_CLICKHOUSE_URL', host, port)
    return { environment: { EBB_CLICKHOUSE_URL: given }, process: null }
  }
  const port = await context.ports.take(PREFERRED_PORT)
  const urlOf = (user: string) => `http://${user}@127.0.0.1:${port}`
  const ofVerifier = urlOf(`${VERIFIER_USER}:${randomBytes(16).toString('hex')}`)
  const child = await superviseProcess(context.home, {
    name: 'clickhouse',
    command: process.execPath,
    args: [SERVER, '--data', join(context.home, 'clickhouse'), '--host', '127.0.0.1', '--port', String(port)],
    cwd: PROJECT_ROOT,
    // The pool of native threads takes its size before the first line of the script runs.
    environment: {
      UV_THREADPOOL_SIZE: '24',
      ...context.environment,
      EBB_VERIFIER_CLICKHOUSE_URL: ofVerifier,
    },
    isReady: async () => (await fetch(`http://127.0.0.1:${port}/ping`)).ok,
    report: context.report,
    stopTimeoutMs: 20_000,
  })
  return {
    environment: { EBB_CLICKHOUSE_URL: urlOf('default'), EBB_VERIFIER_CLICKHOUSE_URL: ofVerifier },
    process: child,
  }
}
