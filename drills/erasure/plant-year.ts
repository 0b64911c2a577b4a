import { fillYear } from '../../bench/dashboards.ts'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import type { SubjectBytes } from './subject-bytes.ts'

/** As in `npm run bench:erasures`: 200 events each, of 10 million. */
const PEOPLE = 50_000
const DAYS = 365
/** Some days of that year, in days before today. */
const LOOKED_AT = [30, 90, 180, 270, 360]
const DAY_MS = 86_400_000

/**
 * A year of other people's events in the platform's own tables, and as many for each of those who will be erased as anybody has, so
 * that their rows lie in every month's parts. Inserted past Kafka, through the live views; then each day is recounted.
 * @param options.events how many the others have
 */
export async function plantYear(
  clickhouse: ClickHouseClient,
  { app, subjects, events }: { app: string; subjects: readonly SubjectBytes[]; events: number },
): Promise<void> {
  const now = Date.now()
  const people = [...new Map(subjects.map((one) => [one.person, one])).values()]
  const rows = Math.ceil(events / PEOPLE) * people.length
  await clickhouse.command({
    query: `INSERT INTO events_raw (app, event, ts, received_at, subject, session, event_id, path)
      SELECT {app:String}, 'page_view', fromUnixTimestamp64Milli({now:Int64} - intDiv(number * ${DAYS * DAY_MS}, ${rows})) AS ts, ts,
        unhex({tokens:Array(String)}[number % ${people.length} + 1]), sipHash64(number % ${people.length}, 5), sipHash64(number, 6),
        '/history'
      FROM numbers(${rows})`,
    query_params: { app, now, tokens: people.map(({ token }) => token.toString('hex')) },
    clickhouse_settings: { async_insert: 0 },
  })
  await fillYear(clickhouse, {
    rows: events,
    people: PEOPLE,
    lastDay: new Date(now).toISOString().slice(0, 10),
  })
}

/** Days whose recount is looked at, `YYYY-MM-DD`. */
export function someDaysOfTheYear(now = Date.now()): string[] {
  return LOOKED_AT.map((back) => new Date(now - back * DAY_MS).toISOString().slice(0, 10))
}
