import { describe, expect, test } from 'vitest'
import { requestKey } from '../../kafka/subject-states.ts'
import { TOPICS } from '../../schemas/event-record.ts'
import type { OnKey } from './read-keys.ts'
import { createSearchKeys } from './search-keys.ts'

const handle = Buffer.alloc(32, 1)
const token = Buffer.alloc(16, 2)
const person = (requestId: string) => ({
  requestId,
  handles: new Set([handle.toString('hex')]),
  tokens: new Set([token.toString('hex')]),
})
const stranger = {
  requestId: 'stranger',
  handles: new Set([Buffer.alloc(32, 8).toString('hex')]),
  tokens: new Set([Buffer.alloc(16, 9).toString('hex')]),
}

function searchOver(records: { topic: string; key: Buffer }[], clock = { ms: 0 }) {
  const readings = { count: 0 }
  const read = async (_topics: string[], onKey: OnKey) => {
    readings.count += 1
    for (const { topic, key } of records) onKey(topic, key)
  }
  return { search: createSearchKeys(read, () => clock.ms), readings, clock, records }
}

describe('keys of a person', () => {
  test('are found by their beginning, whoever speaks of the handle, and only for who seeks them', async () => {
    const { search, readings } = searchOver([
      { topic: TOPICS.subjectStates, key: requestKey('some request', handle) },
      { topic: TOPICS.revocations, key: token },
      { topic: TOPICS.revocations, key: Buffer.from('hold') },
      { topic: TOPICS.subjectStates, key: Buffer.from('touch') },
    ])
    expect(await Promise.all([search(person('a')), search(stranger), search(person('b'))])).toEqual([
      { states: true, revocations: true, goneMs: 0 },
      { states: false, revocations: false, goneMs: 0 },
      { states: true, revocations: true, goneMs: 0 },
    ])
    expect(readings.count).toBe(1)
  })

  test('are told apart by topic', async () => {
    const linked = Buffer.concat([handle, Buffer.from('L')])
    const { search } = searchOver([{ topic: TOPICS.subjectStates, key: linked }])
    expect(await search(person('a'))).toMatchObject({ states: true, revocations: false })
    const { search: other } = searchOver([{ topic: TOPICS.revocations, key: token }])
    expect(await other(person('a'))).toMatchObject({ states: false, revocations: true })
  })

  test('that come back begin the count anew', async () => {
    const { search, clock, records } = searchOver([])
    expect(await search(person('a'))).toMatchObject({ goneMs: 0 })
    clock.ms = 5_000
    expect(await search(person('a'))).toMatchObject({ goneMs: 5_000 })
    records.push({ topic: TOPICS.revocations, key: token })
    expect(await search(person('a'))).toMatchObject({ revocations: true, goneMs: 0 })
    records.pop()
    clock.ms = 9_000
    expect(await search(person('a'))).toMatchObject({ revocations: false, goneMs: 0 })
  })

  test('that cannot be read are an error for all who ask, and the next reading is a new one', async () => {
    let fails = true
    const search = createSearchKeys(async () => {
      if (fails) throw new Error('away')
    })
    await expect(Promise.all([search(person('a')), search(stranger)])).rejects.toThrow('away')
    fails = false
    expect(await search(person('a'))).toMatchObject({ states: false })
  })
})
