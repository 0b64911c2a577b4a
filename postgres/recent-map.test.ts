import { expect, test } from 'vitest'
import { createRecentMap } from './recent-map.ts'

test('A recent map never holds more entries than its capacity', () => {
  const map = createRecentMap<number>(100)
  for (let i = 0; i < 10_000; i++) {
    map.set(`key ${i}`, i)
    expect(map.size()).toBeLessThanOrEqual(100)
  }
})

test('An entry that is read now and then stays, one that is not is forgotten', () => {
  const map = createRecentMap<number>(100)
  map.set('read', 1)
  map.set('unread', 2)
  for (let i = 0; i < 1_000; i++) {
    map.set(`key ${i}`, i)
    if (i % 20 === 0) expect(map.get('read')).toBe(1)
  }
  expect(map.get('read')).toBe(1)
  expect(map.get('unread')).toBeUndefined()
})

test('A deleted entry is gone from both generations', () => {
  const map = createRecentMap<number>(4)
  for (const key of ['a', 'b', 'c']) map.set(key, 1)
  for (const key of ['a', 'b', 'c']) map.delete(key)
  expect(map.size()).toBe(0)
})
