import { describe, expect, it } from 'vitest'
import { drifted, driftedRow, EQUAL } from '../tests/stub-etl.ts'
import { confirmDrift } from './confirm-drift.ts'

describe('a difference between batch and stream', () => {
  it('is drift when it stands at both looks', () => {
    const lost = drifted(driftedRow('purchase', 10, 9))
    expect(confirmDrift(lost, lost)).toEqual(lost)
  })

  it('is drift when a side has no row at all', () => {
    for (const row of [driftedRow('purchase', 10, null), driftedRow('purchase', null, 10)]) {
      expect(confirmDrift(drifted(row), drifted(row)).drifted).toEqual([row])
    }
  })

  it('is none when events arrived between the two readings', () => {
    const first = drifted(driftedRow('page_view', 500, 502))
    const second = drifted(driftedRow('page_view', 502, 507))
    expect(confirmDrift(first, second)).toMatchObject({ driftedCount: 0, equal: 12 })
  })

  it('is drift when late events arrive on top of a loss', () => {
    const first = drifted(driftedRow('page_view', 500, 490))
    const second = drifted(driftedRow('page_view', 503, 495))
    expect(confirmDrift(first, second).driftedCount).toBe(1)
  })

  it('is drift when streaming counted twice', () => {
    const first = drifted(driftedRow('page_view', 500, 510))
    const second = drifted(driftedRow('page_view', 500, 510))
    expect(confirmDrift(first, second).driftedCount).toBe(1)
  })

  it('is none when the row agreed at the first look', () => {
    expect(confirmDrift(EQUAL, drifted(driftedRow('page_view', 500, 501))).driftedCount).toBe(0)
  })

  it('is kept as counted when there are more rows than are listed', () => {
    const many = { ...drifted(driftedRow('purchase', 10, 9)), driftedCount: 500 }
    expect(confirmDrift(EQUAL, many)).toBe(many)
  })
})
