import { expect, test } from 'vitest'
import { createRandom } from '../runtime/random.ts'
import { drawFault } from './inject-faults.ts'

test('in time every engine of the path and every process is both killed and paused, within bounds', () => {
  const random = createRandom(1)
  const faults = Array.from({ length: 2_000 }, () => drawFault(random))
  const victims = (kind: string) => {
    const some = faults.filter((fault) => fault.kind === kind)
    return [...new Set(some.map((fault) => fault.victim))].sort()
  }
  const all = ['clickhouse', 'collector', 'ingest', 'ingest-2', 'kafka', 'postgres']
  expect(victims('kill')).toEqual(all)
  expect(victims('pause')).toEqual(all)
  for (const fault of faults) {
    if (fault.kind !== 'pause') continue
    expect(fault.seconds).toBeGreaterThanOrEqual(1)
    expect(fault.seconds).toBeLessThanOrEqual(fault.victim === 'kafka' ? 8 : 12)
  }
})
