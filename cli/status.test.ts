import { expect, test } from 'vitest'
import { formatTable } from './status.ts'

test('columns line up whatever the cells hold', () => {
  const table = formatTable([
    { name: 'kafka', kind: 'engine', pid: null, health: 'down', at: '127.0.0.1:9092' },
    {
      ...{ name: 'ingest', kind: 'process', pid: 12345, health: 'ok', at: 'http://127.0.0.1:9' },
      ...{ lagRecords: 12, residentBytes: 209_715_200 },
    },
  ])
  expect(table.split('\n')).toEqual([
    'part    kind     health  pid    memory   lag         at',
    'kafka   engine   down    -      -        -           127.0.0.1:9092',
    'ingest  process  ok      12345  200 MiB  12 records  http://127.0.0.1:9',
  ])
})
