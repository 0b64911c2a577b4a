import { askRows } from './await-parts-gone.ts'
import type { ClickHouseClient } from './client.ts'
import { checkDay, type Day } from './daily-metric.ts'
import { publishDays } from './publish-days.ts'
import { publishMonth } from './publish-month.ts'

const DAY_MS = 86_400_000

/**
 * Shows analysts the served figures of these days anew, and their months. Days that were never published stay so: their own ETL run
 * publishes them. @returns the days that were. @throws EbbError `bad_day`
 */
export async function republishDays(client: ClickHouseClient, days: readonly Day[]): Promise<Day[]> {
  if (days.length === 0) return []
  const rows = await askRows<{ day: Day }>(
    client,
    'SELECT DISTINCT day FROM published_days WHERE day IN ({days:Array(Date)}) ORDER BY day',
    { days: days.map(checkDay) },
  )
  const published = rows.map(({ day }) => day)
  for (const range of toRanges(published)) await publishDays(client, range)
  for (const month of new Set(published.map((day) => day.slice(0, 7))))
    await publishMonth(client, `${month}-01`)
  return published
}

/** Days that follow one another are published as one range: a statement a table and not a day. */
export function toRanges(days: readonly Day[]): { from: Day; to: Day }[] {
  const ranges: { from: Day; to: Day }[] = []
  for (const day of days) {
    const last = ranges.at(-1)
    if (last && Date.parse(day) - Date.parse(last.to) === DAY_MS) last.to = day
    else ranges.push({ from: day, to: day })
  }
  return ranges
}
