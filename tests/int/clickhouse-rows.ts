import { createHash } from 'node:crypto'
import { aggregateDay } from '../../clickhouse/aggregate-day.ts'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { type EventsInsert, insertEvents } from '../../clickhouse/insert-events.ts'
import { swapDay } from '../../clickhouse/swap-day.ts'
import { encodeRows } from '../../gate/row-binary.ts'
import type { SwapResult } from '../../schemas/etl.ts'
import { type EventRow, ROW_FORMAT } from '../../schemas/event-row.ts'

export const DAY_MS = 86_400_000

/** A token as the gate would make it; the same name gives the same person. */
export function person(name: string | number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash('sha256').update(String(name)).digest().subarray(0, 16))
}

export function row(fields: Partial<EventRow> & { ts: number }): EventRow {
  return {
    app: 'shop',
    event: 'page_view',
    receivedAt: fields.ts,
    subject: person(1),
    session: 1n,
    device: 1n,
    eventId: 1n,
    orderId: 0n,
    path: '/',
    element: '',
    product: '',
    revenue: 0n,
    currency: '',
    props: '{}',
    ...fields,
  }
}

/** Rows of `people` persons, 20 in a session, over all kinds of events; `ts` steps by a second. */
export function mixedRows(count: number, startMs: number, people = 50): EventRow[] {
  const kinds = ['page_view', 'button_click', 'add_to_cart', 'purchase', 'screen']
  return Array.from({ length: count }, (_, index) => {
    const visit = Math.floor(index / 20)
    const event = kinds[(index * 7 + visit) % kinds.length] ?? 'page_view'
    const paid = event === 'purchase'
    return row({
      app: visit % 3 === 0 ? 'kids' : 'shop',
      event,
      ts: startMs + index * 1_000,
      subject: person(visit % people),
      session: index % 11 === 0 ? 0n : BigInt(visit + 1),
      path: `/page-${index % 5}`,
      element: event === 'button_click' ? `button-${index % 4}` : '',
      product: paid || event === 'add_to_cart' ? `sku-${index % 30}` : '',
      revenue: paid ? BigInt((index % 90) * 10_000 + 1) : 0n,
      currency: paid ? (index % 2 === 0 ? 'EUR' : 'JPY') : '',
    })
  })
}

/** Inserts rows as ingest would. */
export async function insertRows(
  client: ClickHouseClient,
  rows: EventRow[],
  token: string,
  more: Partial<EventsInsert> = {},
): Promise<void> {
  await insertEvents(client, {
    rows: encodeRows(rows),
    format: ROW_FORMAT,
    partition: 0,
    cutEnd: 1n,
    token,
    deadlineMs: Date.now() + 60_000,
    ...more,
  })
}

/** Counts a day and serves it, as the daily ETL does. */
export async function recount(client: ClickHouseClient, day: string): Promise<SwapResult> {
  const { staged } = await aggregateDay(client, day)
  return swapDay(client, day, staged)
}

/** The same client, except that `before` runs ahead of each command. */
export function withHook(
  client: ClickHouseClient,
  before: (query: string) => Promise<void>,
): ClickHouseClient {
  return new Proxy(client, {
    get(target, key) {
      if (key !== 'command') return Reflect.get(target, key).bind(target)
      return async (parameters: { query: string }) => {
        await before(parameters.query)
        return target.command(parameters)
      }
    },
  })
}

export async function ask<T>(client: ClickHouseClient, query: string): Promise<T[]> {
  const result = await client.query({
    query,
    format: 'JSONEachRow',
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0, output_format_json_quote_decimals: 1 },
  })
  return result.json<T>()
}

/** What each live table holds (the minutes of a week, older ones expire), and what it should hold: the same question asked of `events_raw`. */
const RECOUNTS: Record<string, [stored: string, recount: string]> = {
  metrics_minute: [
    `SELECT app, minute, event, currency, sum(t.events) AS n, uniqMerge(users) AS u, uniqIfMerge(sessions) AS s, sum(t.revenue) AS r
     FROM metrics_minute AS t WHERE minute >= toStartOfHour(now()) - INTERVAL 7 DAY GROUP BY ALL`,
    `SELECT app, toStartOfMinute(ts) AS minute, event, currency, count() AS n, uniq(subject) AS u, uniqIf(session, session != 0) AS s,
       sum(toDecimal128(revenue, 4)) AS r FROM events_raw WHERE ts >= toStartOfHour(now()) - INTERVAL 7 DAY GROUP BY ALL`,
  ],
  metrics_streaming_daily: [
    `SELECT app, day, event, currency, sum(t.events) AS n, uniqMerge(users) AS u, uniqIfMerge(sessions) AS s, sum(t.revenue) AS r
     FROM metrics_streaming_daily AS t GROUP BY ALL`,
    `SELECT app, toDate(ts) AS day, event, currency, count() AS n, uniq(subject) AS u, uniqIf(session, session != 0) AS s,
       sum(toDecimal128(revenue, 4)) AS r FROM events_raw GROUP BY ALL`,
  ],
  sessions: [
    `SELECT app, day, hex(subject) AS p, session, min(started) AS a, max(ended) AS b, sum(t.events) AS n, sum(t.pages) AS g, sum(t.revenue) AS r
     FROM sessions AS t GROUP BY app, day, subject, session`,
    `SELECT app, toDate(ts) AS day, hex(subject) AS p, session, min(ts) AS a, max(ts) AS b, count() AS n,
       countIf(event IN ('page_view', 'screen')) AS g, sum(toDecimal128(revenue, 4)) AS r
     FROM events_raw WHERE session != 0 GROUP BY app, day, subject, session`,
  ],
  click_patterns: [
    `SELECT app, day, path, element, sum(t.clicks) AS n, uniqMerge(users) AS u FROM click_patterns AS t GROUP BY ALL`,
    `SELECT app, toDate(ts) AS day, path, element, count() AS n, uniq(subject) AS u
     FROM events_raw WHERE event = 'button_click' GROUP BY ALL`,
  ],
}

/** Names of the live tables that differ from a recount of `events_raw`. */
export async function differingViews(client: ClickHouseClient): Promise<string[]> {
  const wrong: string[] = []
  for (const [table, [stored, recount]] of Object.entries(RECOUNTS)) {
    const [row] = await ask<{ n: number }>(
      client,
      `SELECT count() AS n FROM ((${stored}) EXCEPT ALL (${recount}) UNION ALL ((${recount}) EXCEPT ALL (${stored})))`,
    )
    if (row?.n !== 0) wrong.push(table)
  }
  return wrong
}
