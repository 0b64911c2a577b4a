import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { drawChart, escapeXml, niceTicks } from './draw-chart.ts'

describe('the chart', () => {
  it('has round ticks from zero to at least the largest value, six at most', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1e15, noNaN: true }), (max) => {
        const ticks = niceTicks(max)
        expect(ticks[0]).toBe(0)
        expect(ticks.at(-1)).toBeGreaterThanOrEqual(max)
        expect(ticks.length).toBeLessThanOrEqual(6)
      }),
    )
    expect(niceTicks(12_600)).toEqual([0, 5_000, 10_000, 15_000])
  })

  it('is the same for the same input, and holds no text of a label as markup', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (label) => {
        const panels = [{ kind: 'bars' as const, title: label, rows: [{ label, value: 1, note: label }] }]
        const svg = drawChart(label, label, panels)
        expect(drawChart(label, label, panels)).toBe(svg)
        expect(svg.match(/<title/g)).toHaveLength(1)
        expect(escapeXml(label)).not.toMatch(/[<>"']/)
      }),
    )
  })

  it('breaks the line where a value is missing', () => {
    const labels = ['a', 'b', 'c', 'd']
    const line = { label: 'revenue', values: [1, null, 2, 3] }
    const svg = drawChart('t', 'd', [
      { kind: 'columns', title: 't', labels, values: [1, 2, 3, 4], valueLabel: 'events', line },
    ])
    expect(/class="line" d="([^"]*)"/.exec(svg)?.[1]).toMatch(/^M[\d. ]+M[\d. ]+L[\d. ]+$/)
  })
})
