import { expect, test } from 'vitest'
import { ROW_COLUMNS, ROW_FORMAT, ROW_LAYOUTS } from './event-row.ts'

test('every format that was ever written keeps its columns: a new one takes none away', () => {
  for (let format = 1; format <= ROW_FORMAT; format++) expect(ROW_LAYOUTS[format]).toBeDefined()
  expect(ROW_LAYOUTS[ROW_FORMAT]).toBe(ROW_COLUMNS)
  expect(ROW_LAYOUTS[1]!.map(([name]) => name).join(' ')).toBe(
    'app event ts received_at subject session device event_id order_id path element product revenue currency props',
  )
})
