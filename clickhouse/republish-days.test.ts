import { expect, test } from 'vitest'
import { DAY_MARTS } from './day-marts.ts'
import { toRanges } from './republish-days.ts'
import { PERSONAL_TABLES, SUBJECT_TABLES, tablesErasedBy } from './subject-tables.ts'

test('days that follow one another are one range, over the ends of months and years', () => {
  expect(toRanges(['2025-12-30', '2025-12-31', '2026-01-01', '2026-01-03'])).toEqual([
    { from: '2025-12-30', to: '2026-01-01' },
    { from: '2026-01-03', to: '2026-01-03' },
  ])
  expect(toRanges([])).toEqual([])
})

test('every table of the data map is erased by somebody', () => {
  expect(SUBJECT_TABLES).toContain('events_raw')
  // Whoever adds a table that is to be derived again says here by whom: a view's target is found by the server's own word.
  const byViews = ['metrics_minute', 'metrics_streaming_daily', 'click_patterns']
  const byMarts = DAY_MARTS.flatMap(({ table, staging }) => [table, staging])
  const byTheDailySwap = [...DAY_MARTS.map(({ shown }) => shown.table), 'trends_monthly']
  expect(tablesErasedBy('derive again from the remaining rows').sort()).toEqual(
    [...byViews, ...byMarts, ...byTheDailySwap].sort(),
  )
  expect(PERSONAL_TABLES).toEqual(expect.arrayContaining([...byViews, ...byMarts, ...SUBJECT_TABLES]))
})
