import { EbbError } from '../runtime/errors.ts'
import type { StagedDay, SwapResult } from '../schemas/etl.ts'
import type { ClickHouseClient } from './client.ts'
import { checkDay, type Day } from './daily-metric.ts'
import { DAY_MARTS } from './day-marts.ts'
import { publishDays } from './publish-days.ts'
import { publishMonth } from './publish-month.ts'
import { readDayContents } from './read-day-contents.ts'

/**
 * Puts the staged day in the place of the day's partition (`REPLACE PARTITION`, in one step a table), then shows it to analysts
 * in all views at once and writes its month, unless the day is not over: then it is served to reports only. Doing it twice
 * changes nothing, which is why staging is left as it is: emptied, a repeat would publish an empty day. The parts are hard
 * links of one another and cost no disk.
 *
 * `staged` is what `aggregateDay` counted. Staging must hold that and nothing else, in all marts; an attempt that was given
 * up may write into it at any moment, so what came to be served is looked at once more before analysts see it.
 * @throws EbbError `staging_dirty` when it holds something else: aggregate again; `bad_day`.
 */
export async function swapDay(
  client: ClickHouseClient,
  day: Day,
  staged: StagedDay | undefined,
): Promise<SwapResult> {
  checkDay(day)
  await expectContents(client, day, staged, 'staging')
  for (const mart of DAY_MARTS) {
    // ClickHouse refuses to replace a partition by none: a day without such events is dropped in so many words.
    const change =
      staged?.[mart.table]?.rows === 0
        ? `DROP PARTITION '${day}'`
        : `REPLACE PARTITION '${day}' FROM ${mart.staging}`
    await client.command({ query: `ALTER TABLE ${mart.table} ${change}` })
  }
  await expectContents(client, day, staged, 'table')
  const published = await publishDays(client, { from: day, to: day })
  if (published) await publishMonth(client, day)
  return { published }
}

async function expectContents(
  client: ClickHouseClient,
  day: Day,
  staged: StagedDay | undefined,
  where: 'staging' | 'table',
): Promise<void> {
  for (const mart of DAY_MARTS) {
    const counted = staged?.[mart.table]
    const { rows, checksum } = await readDayContents(client, mart, mart[where], day)
    if (rows !== counted?.rows || checksum !== counted.checksum) {
      throw new EbbError('staging_dirty', `${mart[where]} does not hold what was counted of ${day}`)
    }
  }
}
