import { createHash } from 'node:crypto'
import type { ClickHouseClient } from '../clickhouse/client.ts'

export interface SeededEvent {
  app: string
  event: string
  /** Milliseconds since 1970. */
  ts: number
  /** Number of the person. */
  person: number
  path?: string
  element?: string
  product?: string
  /** Decimal text. */
  revenue?: string
  currency?: string
}

/**
 * A made-up day of `people` persons of a shop and half as many of a learning app, the same for the same arguments: all
 * view pages, every second adds to the cart, every third of these purchases for 12.50 EUR.
 */
export function makeDay(day: string, people: number): SeededEvent[] {
  const start = Date.parse(`${day}T00:00:00Z`)
  const events: SeededEvent[] = []
  for (let person = 0; person < people; person++) {
    const at = start + ((person * 37) % (23 * 60)) * 60_000
    const shop = { app: 'shop', person }
    events.push({ ...shop, event: 'page_view', ts: at, path: '/' })
    events.push({ ...shop, event: 'page_view', ts: at + 20_000, path: `/product/${person % 4}` })
    events.push({ ...shop, event: 'button_click', ts: at + 25_000, element: 'details' })
    const product = `product-${person % 4}`
    if (person % 2 === 0) events.push({ ...shop, event: 'add_to_cart', ts: at + 40_000, product })
    if (person % 6 === 0)
      events.push({
        ...shop,
        ...{ event: 'purchase', ts: at + 90_000, product, revenue: '12.5000', currency: 'EUR' },
      })
    if (person % 2 === 1) continue
    const learn = { app: 'learn', person: 100_000 + person }
    events.push({ ...learn, event: 'screen', ts: at, path: 'counting' })
    events.push({
      ...learn,
      event: 'button_click',
      ts: at + 5_000,
      element: person % 4 === 0 ? 'start' : 'hint',
    })
  }
  return events
}

/** Writes rows into `events_raw` as ingest does, so that the views see them; `receivedAt` in milliseconds since 1970. */
export async function insertRaw(
  clickhouse: ClickHouseClient,
  events: SeededEvent[],
  receivedAt = Date.now(),
): Promise<void> {
  await clickhouse.insert({
    table: 'events_raw',
    format: 'JSONEachRow',
    values: events.map((event, index) => ({
      app: event.app,
      event: event.event,
      ts: timeText(event.ts),
      received_at: timeText(receivedAt),
      subject: createHash('sha256').update(`${event.app} ${event.person}`).digest('hex').slice(0, 16),
      session: String(event.person * 10 + 1),
      device: '1',
      event_id: String(index + 1),
      order_id: '0',
      path: event.path ?? '',
      element: event.element ?? '',
      product: event.product ?? '',
      revenue: event.revenue ?? '0',
      currency: event.currency ?? '',
      props: '{}',
    })),
    clickhouse_settings: { async_insert: 0 },
  })
}

/** `2026-11-20 23:59:59.999`, UTC as the columns are. */
function timeText(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '')
}
