import type { ClickHouseClient } from '../clickhouse/client.ts'
import { republishDays } from '../clickhouse/republish-days.ts'
import type { Postgres } from '../postgres/client.ts'
import { clearDirtyDays, readDirtyDays } from '../postgres/dirty-days.ts'
import type { EtlActivities } from '../schemas/etl.ts'
import { beatWhile } from './beat-while.ts'

/**
 * Days that erasures touched were counted again at once; analysts see it only now, with the daily swap and together with others'
 * erasures. May be repeated: a day published twice shows the same.
 */
export function createRepublishDirtyDays(deps: {
  clickhouse: ClickHouseClient
  postgres: Postgres
}): EtlActivities['republishDirtyDays'] {
  return () =>
    beatWhile(async () => {
      const dirty = await readDirtyDays(deps.postgres)
      const published = await republishDays(deps.clickhouse, dirty.days)
      if (dirty.days.length > 0) await clearDirtyDays(deps.postgres, dirty)
      return { days: published.length }
    })
}
