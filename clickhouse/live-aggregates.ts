import { EbbError } from '../runtime/errors.ts'
import { askRows } from './await-parts-gone.ts'
import type { ClickHouseClient } from './client.ts'
import { tablesErasedBy } from './subject-tables.ts'

/** A table that materialized views fill from `events_raw`, directly or through another one. Partitioned by month. */
export interface LiveAggregate {
  table: string
  /** Its twin for the recount, see rederive-month.ts. */
  helper: string
  columns: string
  /** Expression of a row's day. */
  day: string
  /** Column that sums up the events of a row. */
  count: string
  /** Condition on rows that have not expired at a moment. */
  alive: string
  /** The same of raw rows, to the day: what need not be looked at. */
  rawAlive: string
  /** SELECT of the same columns over those rows of `events_raw` that meet a condition. */
  recount(condition: string): string
}

interface View {
  target: string
  source: string
  select: string
}

/**
 * The live aggregates of the data map, as the server knows them: the recount is each view's own SELECT, so that a view that changes
 * is counted again as it counts. @throws EbbError `query_refused` for a layout that the recount does not know
 */
export async function readLiveAggregates(client: ClickHouseClient): Promise<LiveAggregate[]> {
  const derived = tablesErasedBy('derive again from the remaining rows')
  const [views, tables] = await Promise.all([readViews(client), readLayouts(client, derived)])
  return derived
    .filter((table) => views.some(({ target }) => target === table))
    .map((table) =>
      describe(
        table,
        tables.find((one) => one.table === table),
        views,
      ),
    )
}

async function readViews(client: ClickHouseClient): Promise<View[]> {
  const rows = await askRows<{ as_select: string; create_table_query: string }>(
    client,
    `SELECT as_select, create_table_query FROM system.tables
     WHERE database = currentDatabase() AND engine = 'MaterializedView'`,
  )
  return rows.map((row) => ({
    target: / TO \w+\.(\w+) /.exec(row.create_table_query)?.[1] ?? '',
    source: / FROM \w+\.(\w+)/.exec(row.as_select)?.[1] ?? '',
    select: row.as_select,
  }))
}

interface Layout {
  table: string
  engine: string
  /** Name and type of each, in order. */
  columns: [name: string, type: string][]
}

async function readLayouts(client: ClickHouseClient, tables: readonly string[]): Promise<Layout[]> {
  return await askRows<Layout>(
    client,
    `SELECT t.name AS table, any(t.engine_full) AS engine,
       arrayMap(c -> (c.2, c.3), arraySort(groupArray((c.position, c.name, c.type)))) AS columns
     FROM system.tables AS t JOIN system.columns AS c ON c.table = t.name
     WHERE t.database = currentDatabase() AND c.database = currentDatabase() AND t.name IN ({tables:Array(String)})
     GROUP BY t.name`,
    { tables },
  )
}

function describe(table: string, layout: Layout | undefined, views: View[]): LiveAggregate {
  const { engine, columns } = layout ?? { engine: '', columns: [] }
  const names = columns.map(([name]) => name)
  const time = names.find((name) => name === 'day' || name === 'minute')
  const count = columns.find(([, type]) => type === 'SimpleAggregateFunction(sum, UInt64)')?.[0]
  if (!time || !count || !engine.includes(`PARTITION BY toYYYYMM(${time})`))
    throw new EbbError('query_refused', `${table} is laid out in a way that no recount knows`)
  const days = / TTL (\w+) \+ toIntervalDay\((\d+)\)/.exec(engine)
  return {
    table,
    helper: `rederive_${table}`,
    columns: names.join(', '),
    day: time === 'day' ? 'day' : `toDate(${time})`,
    count,
    alive: days ? `${days[1]} > now('UTC') - toIntervalDay(${days[2]})` : '1',
    rawAlive: days ? `toDate(ts) >= toDate(now('UTC')) - ${days[2]} - 1` : '1',
    recount: (condition) => recountOf(table, condition, views),
  }
}

function recountOf(table: string, condition: string, views: View[]): string {
  const selects = views
    .filter(({ target }) => target === table)
    .map(({ source, select }) => {
      const rows =
        source === 'events_raw'
          ? `SELECT * FROM events_raw WHERE ${condition}`
          : recountOf(source, condition, views)
      return select.replace(/ FROM \w+\.\w+/, ` FROM (${rows})`)
    })
  return selects.join(' UNION ALL ')
}
