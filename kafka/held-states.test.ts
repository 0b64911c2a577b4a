import { randomBytes, randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createHeldStates } from './held-states.ts'
import { decodeState, decodeStateKey, FROM_LINKS, requestKey, type SubjectState } from './subject-states.ts'

const handle = randomBytes(32)
const key = (source: string, of = handle) => ({ handle: of.toString('latin1'), source })
const blocked: SubjectState = { s: 'blocked', at: 5 }
const cutoff = (at: number, until = 1_000): SubjectState => ({ s: 'cutoff', at, until })

describe('held states', () => {
  test('a block goes before any cutoff, the later cutoff before the earlier, and each request speaks for itself', () => {
    const states = createHeldStates()
    states.set(key('one'), blocked)
    states.set(key('two'), cutoff(10))
    states.set(key(FROM_LINKS), cutoff(20))
    expect(states.get(handle)).toEqual(blocked)
    states.set(key('one'), null)
    expect(states.get(handle)).toEqual(cutoff(20))
    states.set(key(FROM_LINKS), null)
    expect(states.get(handle)).toEqual(cutoff(10))
    states.set(key('two'), null)
    expect([states.get(handle), states.isEmpty(), states.size()]).toEqual([undefined, true, 0])
  })
  test('the version tells of changes, and of nothing else', () => {
    const states = createHeldStates()
    expect(states.set(key('one'), blocked)).toBe(true)
    const version = states.version()
    expect(states.set(key('one'), { ...blocked })).toBe(false)
    expect(states.set(key('two'), null)).toBe(false)
    expect(states.version()).toBe(version)
    states.set(key('one'), cutoff(9))
    expect(states.version()).not.toBe(version)
  })
  test('a cutoff is forgotten after its end, a block never', () => {
    const states = createHeldStates()
    states.set(key('one'), blocked)
    states.set(key('two'), cutoff(9, 100))
    const other = randomBytes(32)
    states.set(key('three', other), cutoff(9, 100))
    states.expire(101)
    expect([states.get(handle), states.get(other), states.size()]).toEqual([blocked, undefined, 1])
  })
  test('are bounded, and say so when one found no room', () => {
    const states = createHeldStates(1)
    states.set(key('one'), blocked)
    expect(states.isFull()).toBe(false)
    states.set(key('one'), cutoff(1))
    states.set(key('two', randomBytes(32)), blocked)
    expect([states.isFull(), states.size()]).toEqual([true, 1])
  })
})

describe('records of subject states', () => {
  test('a key names the handle, and who says it without naming the request', () => {
    const [one, two] = [randomUUID(), randomUUID()]
    const read = decodeStateKey(requestKey(one, handle))
    expect(read?.handle).toBe(handle.toString('latin1'))
    expect(decodeStateKey(requestKey(two, handle))?.source).not.toBe(read?.source)
    expect(decodeStateKey(Buffer.alloc(20))).toBeUndefined()
    expect(decodeStateKey(null)).toBeUndefined()
  })
  test('a state that nobody can read blocks', () => {
    expect(decodeState(Buffer.from('{"s":"restricted"}'))?.s).toBe('blocked')
    expect(decodeState(Buffer.from('no JSON'))?.s).toBe('blocked')
    expect(decodeState(Buffer.from('{"s":"cutoff","at":1,"until":2}'))).toEqual(cutoff(1, 2))
    expect(decodeState(null)).toBeNull()
  })
})
