import type { ClickHouseClient } from '../clickhouse/client.ts'
import type { Postgres } from '../postgres/client.ts'
import type { Config } from '../runtime/config.ts'
import type { S3 } from '../s3/client.ts'

export interface BackupDeps {
  /** With a time-out of hours: a backup is one statement. */
  clickhouse: ClickHouseClient
  postgres: Postgres
  s3: S3
  config: Pick<Config, 'clickhouse' | 'postgres' | 's3' | 'privacy'>
  /** Milliseconds since 1970. */
  now(): number
}
