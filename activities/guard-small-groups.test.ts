import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { guardSmallGroups, K } from './guard-small-groups.ts'

describe('groups of fewer than k people', () => {
  it('are not shown, and what hides together is of k people or more wherever anything else is shown', () => {
    const rows = fc.array(fc.record({ users: fc.integer({ min: 1, max: 12 }) }), { maxLength: 12 })
    fc.assert(
      fc.property(rows, (given) => {
        const { shown, hidden } = guardSmallGroups(given)
        expect(shown.every((row) => row.users >= K)).toBe(true)
        expect(hidden).toBe(given.length - shown.length)
        const hiddenUsers = given
          .filter((row) => !shown.includes(row))
          .reduce((sum, row) => sum + row.users, 0)
        if (hidden > 0 && shown.length > 0) expect(hiddenUsers).toBeGreaterThanOrEqual(K)
      }),
    )
  })

  it('never hide alone together: two of three people may be the same three', () => {
    const rows = [{ users: 3 }, { users: 3 }, { users: 9 }, { users: 20 }]
    expect(guardSmallGroups(rows)).toEqual({ shown: [{ users: 20 }], hidden: 3 })
  })

  it('hide nothing where there are none', () => {
    expect(guardSmallGroups([{ users: 5 }, { users: 9 }]).hidden).toBe(0)
  })
})
