import { readFileSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import { isLeftOut, leaveOut, PURGES, readLeftOut } from './left-out-purge.ts'

afterEach(() => leaveOut({}))

it('leaves nothing out unless a drill says so', () => {
  for (const purge of PURGES) expect(isLeftOut(purge)).toBe(false)
  const leftOut = readLeftOut({ EBB_DRILL: '1', EBB_DRILL_WITHOUT: 'vault-rewrite' })
  expect(leftOut('vault-rewrite')).toBe(true)
  expect(leftOut('set-aside-parts')).toBe(false)
  const two = readLeftOut({ EBB_DRILL: '1', EBB_DRILL_WITHOUT: 'vault-rewrite,batch-tokens' })
  expect([two('vault-rewrite'), two('batch-tokens'), two('set-aside-parts')]).toEqual([true, true, false])
})

it('refuses to leave a purge out of a platform that is no drill', () => {
  expect(() => readLeftOut({ EBB_DRILL_WITHOUT: 'vault-rewrite' })).toThrow(/EBB_DRILL=1/)
  expect(() => readLeftOut({ EBB_DRILL: '1', EBB_DRILL_WITHOUT: 'something' })).toThrow(/some of/)
  expect(() => readLeftOut({ EBB_DRILL: '1', EBB_DRILL_WITHOUT: 'vault-rewrite,x' })).toThrow(/some of/)
})

it('can be told within a process that has begun', () => {
  leaveOut({ EBB_DRILL: '1', EBB_DRILL_WITHOUT: 'event-expiry' })
  expect([isLeftOut('event-expiry'), isLeftOut('vault-rewrite')]).toEqual([true, false])
})

it.each(PURGES)('%s is in the table of residues', (purge) => {
  const text = readFileSync(new URL('../docs/drills.md', import.meta.url), 'utf8')
  expect(text).toMatch(new RegExp(`\\| \`${purge}\` \\|`))
})
