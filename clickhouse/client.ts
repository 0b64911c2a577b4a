import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client'
import type { Config } from '../runtime/config.ts'

export type { ClickHouseClient }

export interface ClickHouseOverrides {
  /** Database of unqualified names; '' for the server's default one (migrations create ours). Default: the tables' database. */
  database?: string
  username?: string
  password?: string
  /** Milliseconds until a request without an answer fails. */
  requestTimeoutMs?: number
  /** Most requests in flight at a time; the rest wait. */
  maxConnections?: number
}

/**
 * A client of the configured server. The URL may carry user and password; settings that exactly-once depends on are
 * given with each insert (insert-events.ts) and never left to a server's defaults.
 */
export function createClickHouse(
  config: Pick<Config, 'clickhouse'>,
  overrides: ClickHouseOverrides = {},
): ClickHouseClient {
  const url = new URL(config.clickhouse.url)
  const username = overrides.username ?? (decodeURIComponent(url.username) || 'default')
  const password = overrides.password ?? decodeURIComponent(url.password)
  url.username = ''
  url.password = ''
  return createClient({
    url: url.href,
    username,
    password,
    database: (overrides.database ?? config.clickhouse.database) || 'default',
    application: 'ebb',
    request_timeout: overrides.requestTimeoutMs ?? 30_000,
    max_open_connections: overrides.maxConnections ?? 10,
    keep_alive: { enabled: true },
    // Its log prints the server's messages, which may quote rows. Callers map errors to codes.
    log: { level: ClickHouseLogLevel.OFF },
  })
}
