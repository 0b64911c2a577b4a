import type { Registry } from '../schemas/registry.ts'

/** What an app has chosen for itself. */
export interface AppRules {
  /** Name of the app, column `app`. */
  app: string
  /** Events older than this are rejected `too_old`. Default 30, at most 400. */
  maxAgeDays?: number
  /** Client IP: leave it out (default), or keep /24 or /48 of it in `props.ip_prefix`. */
  ip?: 'drop' | 'truncate'
}

export interface AdmitContext {
  app: AppRules
  /** The app's look-up key, 32 bytes; handles are HMACs under it. */
  lookupKey: Buffer
  registry: Registry
  /** When the collector received the request. Milliseconds since 1970. */
  now: number
  /** Random, another for each request: names events that nothing else tells from those of the next request. */
  nonce: string
  /** Peer address; looked at only where the app truncates IPs and the event names none. */
  clientIp?: string
}
