import { connect } from 'node:net'
import { EbbError } from '../runtime/errors.ts'
import type { PortReservations } from './reserve-port.ts'
import type { SupervisedProcess } from './supervise-process.ts'

export const ENGINE_NAMES = ['kafka', 'clickhouse', 'postgres', 'temporal', 's3'] as const
export type EngineName = (typeof ENGINE_NAMES)[number]

/** What each engine needs to find or start itself. */
export interface EngineContext {
  /** Data of earlier starts is to be deleted. */
  fresh?: boolean
  /** The engines run for minutes. */
  brief?: boolean
  home: string
  /** The starter's environment: URLs of engines that run already, PATH, HOME. */
  environment: Record<string, string | undefined>
  ports: PortReservations
  report: (line: string) => void
  /** Aborted when another engine has failed: a build of minutes must not hold back its error. */
  signal: AbortSignal
}

export interface StartedEngine {
  /** The EBB_* keys by which our processes find it. */
  environment: Record<string, string>
  /** null when its URL was given: then it is not ours to stop. */
  process: SupervisedProcess | null
}

/**
 * For an engine that was given by URL: says at once when nothing answers there, instead of letting every process
 * find out by itself.
 * @throws EbbError `engine_unreachable` naming the key.
 */
export async function requireReachable(key: string, host: string, port: number): Promise<void> {
  if (await canConnect(host, port, 5_000)) return
  throw new EbbError('engine_unreachable', `${key} is set, but nothing answers at ${host}:${port}`)
}

export async function canConnect(host: string, port: number, timeoutMs = 1_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs })
    const finish = (reachable: boolean) => {
      socket.destroy()
      resolve(reachable)
    }
    socket.once('connect', () => finish(true))
    socket.once('timeout', () => finish(false))
    socket.once('error', () => finish(false))
  })
}

/** `host:port`, also with a scheme; `defaultPort` where the text has none. */
export function parseAddress(text: string, defaultPort: number): { host: string; port: number } {
  const url = new URL(text.includes('://') ? text : `tcp://${text}`)
  const schemePort = url.protocol === 'https:' ? 443 : url.protocol === 'http:' ? 80 : defaultPort
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? schemePort : Number(url.port) }
}
