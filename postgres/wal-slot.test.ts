import { describe, expect, it } from 'vitest'
import { formatLsn, parseLsn, segmentName, slotName } from './wal-slot.ts'

const SEGMENT = 16n << 20n

describe('positions in the write-ahead log', () => {
  it('are read and written as Postgres does', () => {
    for (const text of ['0/0', '0/3000148', '16/B374D848', 'FFFFFFFF/FFFFFFFF']) {
      expect(formatLsn(parseLsn(text))).toBe(text)
    }
    expect(parseLsn('1/0')).toBe(1n << 32n)
  })

  // Values as pg_walfile_name gives them.
  it.each([
    ['0/3000148', 1, '000000010000000000000003'],
    ['1/0', 1, '000000010000000100000000'],
    ['0/FF000000', 1, '0000000100000000000000FF'],
    ['16/B374D848', 10, '0000000A00000016000000B3'],
  ])('%s of timeline %i is in segment %s', (lsn, timeline, name) => {
    expect(segmentName(timeline, parseLsn(lsn) / SEGMENT, SEGMENT)).toBe(name)
  })

  it('are kept by a slot whose name Postgres takes, whatever the database is called', () => {
    expect(slotName('ebb')).toBe('ebb_wal_ebb')
    for (const name of ['Shop-Ünited', 'x'.repeat(100)]) expect(slotName(name)).toMatch(/^[a-z0-9_]{1,63}$/)
  })
})
