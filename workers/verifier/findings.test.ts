import { describe, expect, test } from 'vitest'
import { waitForEach } from './findings.ts'

/** What is left of each request, look by look; the last again and again. Of whoever is asked about, and nobody else. */
function countdown(looks: Record<string, number>[]) {
  const asked: string[][] = []
  const left = [...looks]
  const count = async (waiting: readonly { requestId: string }[]) => {
    const ids = waiting.map(({ requestId }) => requestId)
    asked.push(ids)
    const look = left.length > 1 ? left.shift()! : left[0]!
    return new Map(ids.map((id) => [id, look[id] ?? 0]))
  }
  return { asked, count }
}

const BOTH = [{ requestId: 'one' }, { requestId: 'other' }]

describe('what others leave for a moment', () => {
  test('stops nobody who was seen without any once', async () => {
    const { asked, count } = countdown([{ other: 2 }, { one: 3 }])
    const left = await waitForEach(BOTH, 5_000, count)
    expect([...left.values()].filter((n) => n > 0)).toEqual([])
    expect(asked).toEqual([['one', 'other'], ['other']])
  })

  test('is counted for whoever was never seen without', async () => {
    const { count } = countdown([{ one: 1, other: 2 }, { other: 1 }])
    const left = await waitForEach(BOTH, 300, count)
    expect([left.get('one') ?? 0, left.get('other')]).toEqual([0, 1])
  })

  test('is looked for at once and only once without patience', async () => {
    const { asked, count } = countdown([{ one: 1 }])
    expect((await waitForEach(BOTH, -1, count)).get('one')).toBe(1)
    expect(asked.length).toBe(1)
  })
})
