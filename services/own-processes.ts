import { EbbError } from '../runtime/errors.ts'
import { builtScript, PROJECT_ROOT } from '../runtime/project-root.ts'
import { VERIFIER_CREDENTIALS, withoutVerifierCredentials } from '../runtime/verifier-credentials.ts'
import { ENGINE_NAMES } from './engine.ts'
import type { PortReservations } from './reserve-port.ts'
import { type SupervisedProcess, superviseProcess } from './supervise-process.ts'

/** Our processes, by the script of each. */
export const PROCESS_SCRIPTS = {
  collector: 'collector/main.ts',
  ingest: 'workers/ingest/main.ts',
  'temporal-worker': 'workers/temporal/main.ts',
  gateway: 'gateway/main.ts',
  verifier: 'workers/verifier/main.ts',
  witness: 'workers/witness/main.ts',
} as const
export type ProcessKind = keyof typeof PROCESS_SCRIPTS

/**
 * Options of Node itself. The collector holds what a request has made until Kafka has acknowledged it: in semi-spaces of Node's usual
 * 16 MB that is copied and then promoted, which costs a fifth of its CPU. Three of these are the young generation: up to 192 MB.
 */
const NODE_ARGUMENTS: Partial<Record<ProcessKind, readonly string[]>> = {
  collector: ['--max-semi-space-size=64'],
}

/** What follows `node` to run a process: its options, then the script. */
export function processArguments(kind: ProcessKind): string[] {
  return [...(NODE_ARGUMENTS[kind] ?? []), builtScript(PROCESS_SCRIPTS[kind])]
}

/** Processes that people or programs call, each with the key of its port and the port they know. */
const DOORS: Partial<Record<ProcessKind, { key: string; port: number }>> = {
  collector: { key: 'EBB_COLLECTOR_PORT', port: 8080 },
  gateway: { key: 'EBB_GATEWAY_PORT', port: 8081 },
  witness: { key: 'EBB_WITNESS_PORT', port: 8082 },
}

export interface ProcessOptions {
  kind: ProcessKind
  /** Default: the kind. */
  name?: string
  /** More EBB_* keys for this process alone. */
  environment?: Record<string, string>
}

export interface OwnProcess {
  kind: ProcessKind
  child: SupervisedProcess
  /** Base URL of /metrics and /health. */
  metricsUrl: string
  /** Of a collector or a gateway. */
  url?: string
}

/** Starts and stops our own processes: any number of each kind, each on ports that it keeps over restarts. */
export interface OwnProcesses {
  start(options: ProcessOptions): Promise<OwnProcess>
  find(name: string): SupervisedProcess | undefined
  list(): { name: string; pid: number; metricsUrl: string }[]
  stop(): Promise<void>
}

export function createOwnProcesses(deps: {
  home: string
  /** What every process gets, EBB_* of the engines included. */
  environment: Record<string, string | undefined>
  ports: PortReservations
  report(line: string): void
}): OwnProcesses {
  const running: OwnProcess[] = []
  // The verifier is told where our witness will be, whichever of the two starts first.
  const ofWitness = { port: undefined as Promise<number> | undefined }
  return {
    async start(options) {
      const own = await startOne(options, { ...deps, ofWitness })
      running.push(own)
      return own
    },
    find: (name) => running.find((own) => own.child.name === name)?.child,
    list: () => running.map(({ child, metricsUrl }) => ({ name: child.name, pid: child.pid, metricsUrl })),
    async stop() {
      // What flows in ends first: then ingest can still acknowledge what it has read.
      const stopAll = (some: OwnProcess[]) => Promise.all(some.map((own) => own.child.stop()))
      await stopAll(running.filter((own) => own.kind === 'collector'))
      await stopAll(running.filter((own) => own.kind !== 'collector'))
      await deps.ports.release()
    },
  }
}

/**
 * The verifier's credentials reach the verifier alone, in place of everyone's: who looks whether something is gone cannot make it
 * go from Postgres, keyring, ClickHouse, object storage or a KMS, and who erases cannot come there in its name. Where one of its own
 * is not given it keeps everyone's, and warns of it at its start. A key file it shares with the erasers, and only reads.
 */
export function withOwnCredentials(
  kind: ProcessKind,
  environment: Record<string, string | undefined>,
): Record<string, string | undefined> {
  if (kind !== 'verifier') return withoutVerifierCredentials(environment)
  const given = { ...environment }
  for (const [key, own] of Object.entries(VERIFIER_CREDENTIALS)) {
    if (given[own]) given[key] = given[own]
  }
  return given
}

async function startOne(
  options: ProcessOptions,
  deps: {
    home: string
    environment: Record<string, string | undefined>
    ports: PortReservations
    report(line: string): void
    ofWitness: { port: Promise<number> | undefined }
  },
): Promise<OwnProcess> {
  const name = options.name ?? options.kind
  if ((ENGINE_NAMES as readonly string[]).includes(name)) {
    throw new EbbError('bad_name', `${name} is the name of an engine`)
  }
  // Ports are fixed here, not by the process: after a crash it must come back where its clients look for it.
  const metricsPort = await deps.ports.take(0)
  const environment: Record<string, string | undefined> = {
    ...withOwnCredentials(options.kind, deps.environment),
    EBB_METRICS_PORT: String(metricsPort),
    ...options.environment,
  }
  let url: string | undefined
  const door = DOORS[options.kind]
  if (door) {
    const take = () => deps.ports.take(Number(environment[door.key]) || door.port)
    if (options.kind === 'witness') deps.ofWitness.port ??= take()
    const port = await (options.kind === 'witness' ? deps.ofWitness.port! : take())
    environment[door.key] = String(port)
    url = `http://127.0.0.1:${port}`
  }
  if (options.kind === 'verifier' && environment.EBB_WITNESSES === undefined) {
    deps.ofWitness.port ??= deps.ports.take(Number(environment.EBB_WITNESS_PORT) || 8082)
    environment.EBB_WITNESSES = `http://127.0.0.1:${await deps.ofWitness.port}`
  }
  const metricsUrl = `http://127.0.0.1:${metricsPort}`
  const child = await superviseProcess(deps.home, {
    name,
    command: process.execPath,
    args: processArguments(options.kind),
    cwd: PROJECT_ROOT,
    environment,
    isReady: async () => (await fetch(`${metricsUrl}/health`)).ok,
    report: (line) => deps.report(`${name}: ${line}`),
    stopTimeoutMs: 30_000,
  })
  return { kind: options.kind, child, metricsUrl, ...(url && { url }) }
}
