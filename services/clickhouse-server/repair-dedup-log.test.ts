import { describe, expect, test } from 'vitest'
import { repairLog } from './repair-dedup-log.ts'

const part = (partition: string, minBlock: number, maxBlock: number) => ({ partition, minBlock, maxBlock })

describe('the repair of a deduplication log', () => {
  test('drops the line of a block that no part covers, and no other', () => {
    const log = '1\t202611_1_1_0\ta\n1\t202611_2_2_0\tb\n1\t202610_3_3_0\tc\n'
    const repaired = repairLog(log, [part('202611', 1, 1), part('202610', 3, 3)])
    expect(repaired).toEqual({ text: '1\t202611_1_1_0\ta\n1\t202610_3_3_0\tc\n', dropped: 1 })
  })
  test('keeps blocks that were merged or mutated since', () => {
    const log = '1\tall_1_1_0\ta\n1\tall_5_5_0\tb\n'
    expect(repairLog(log, [part('all', 1, 9)])).toEqual({ text: log, dropped: 0 })
  })
  test('does not take the part of another month for it', () => {
    const log = '1\t202611_1_1_0\ta\n'
    expect(repairLog(log, [part('202612', 1, 1)]).dropped).toBe(1)
  })
  test('keeps what the engine dropped by itself dropped', () => {
    const log = '1\t0_1_1_0\ta\n2\t0_1_1_0\ta\n'
    expect(repairLog(log, []).text).toBe('2\t0_1_1_0\ta\n')
  })
  test('drops a last line that was cut short', () => {
    expect(repairLog('1\tall_1_1_0\ta\n1\tall_2', [part('all', 1, 1)])).toEqual({
      text: '1\tall_1_1_0\ta\n',
      dropped: 1,
    })
  })
})
