import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Link, Person } from '../gate/person.ts'
import { createDraft } from '../gate/work.ts'
import type { SubjectState } from '../kafka/subject-states.ts'
import { type SiftRules, sift } from './suppress.ts'

const DAY_MS = 86_400_000
const [ada, phone, bob] = [randomBytes(32), randomBytes(32), randomBytes(32)] as [Buffer, Buffer, Buffer]

const rules = (...states: [Buffer, SubjectState][]): SiftRules => ({
  isEmpty: () => states.length === 0,
  get: (handle) => states.find(([one]) => one.equals(handle))?.[1],
  suppressMs: 30 * DAY_MS,
})
const person = (handle: Buffer, times: number[], links: Link[] = []): Person => ({
  handle,
  links,
  events: times.map((ts) => ({ ...createDraft(), ts })),
  rejectedIds: [],
})
const link = (from: Buffer, to: Buffer, firstTs: number, lastTs = firstTs): Link => ({
  kind: 'identify',
  from,
  to,
  firstTs,
  lastTs,
})
const blocked: SubjectState = { s: 'blocked', at: 100 }
const cutoff: SubjectState = { s: 'cutoff', at: 100, until: 900 }
const timesOf = (persons: readonly Person[]) => persons.map(({ events }) => events.map(({ ts }) => ts))

test('Where nobody is suppressed the very batch goes on, and nothing is made', () => {
  const persons = [person(ada, [1])]
  expect(sift(persons, rules()).persons).toBe(persons)
  expect(sift(persons, rules([bob, blocked])).persons).toBe(persons)
})

test('Of a blocked person nothing goes on, of one who was erased what is later than the cutoff', () => {
  const persons = [person(ada, [50, 100, 101, 500]), person(bob, [50])]
  const whenBlocked = sift(persons, rules([ada, blocked]))
  expect(timesOf(whenBlocked.persons)).toEqual([[50]])
  expect(whenBlocked.suppressed).toEqual([ada])
  const afterwards = sift(persons, rules([ada, cutoff]))
  expect(timesOf(afterwards.persons)).toEqual([[101, 500], [50]])
  expect(afterwards.suppressed).toEqual([])
  expect(sift([person(ada, [100])], rules([ada, cutoff])).persons).toEqual([])
})

test('A late link makes its other end the same erased person, along a chain within the batch', () => {
  const persons = [person(ada, [40], [link(phone, ada, 40)]), person(bob, [30, 200], [link(ada, bob, 30)])]
  const { persons: left, concluded } = sift(persons, rules([phone, cutoff]))
  expect(timesOf(left)).toEqual([[200]])
  expect(left[0]?.links).toEqual([])
  expect(concluded).toEqual([
    { handle: ada, state: cutoff },
    { handle: bob, state: cutoff },
  ])
})

test('A link of after the cutoff is a new person’s, and says nothing of the old one', () => {
  const persons = [person(bob, [150], [link(phone, bob, 150)])]
  const { persons: left, concluded } = sift(persons, rules([phone, cutoff]))
  expect(left[0]?.links).toHaveLength(1)
  expect(concluded).toEqual([])
  // While the erasure runs there is no new link; who else uses the device goes on.
  const running = sift(persons, rules([phone, blocked]))
  expect(timesOf(running.persons)).toEqual([[150]])
  expect(running.persons[0]?.links).toEqual([])
  expect(running.concluded).toEqual([])
})

test('A link of an id whose other kind is being erased is none, and its other end goes on', () => {
  const alias = { ...link(phone, bob, 150), kind: 'alias' as const, sameId: ada }
  const { persons: left, concluded } = sift([person(bob, [150], [alias])], rules([ada, blocked]))
  expect([timesOf(left), left[0]?.links, concluded]).toEqual([[[150]], [], []])
  expect(sift([person(bob, [150], [alias])], rules([ada, cutoff])).persons[0]?.links).toEqual([alias])
})

test('A link asserted before and after says both: the other id is erased up to the cutoff, and linked from there on', () => {
  const persons = [person(bob, [50, 150], [link(phone, bob, 50, 150)])]
  const { persons: left, concluded } = sift(persons, rules([phone, cutoff]))
  expect(timesOf(left)).toEqual([[150]])
  expect(left[0]?.links).toHaveLength(1)
  expect(concluded).toEqual([{ handle: bob, state: cutoff }])
})

test('What follows from a block ends when events of before are too old for anyone', () => {
  const persons = [person(bob, [50], [link(ada, bob, 50)])]
  expect(sift(persons, rules([ada, blocked])).concluded).toEqual([
    { handle: bob, state: { s: 'cutoff', at: 100, until: 100 + 30 * DAY_MS } },
  ])
  // Nothing new of somebody who is blocked, or suppressed for as long, already.
  expect(sift(persons, rules([ada, blocked], [bob, blocked])).concluded).toEqual([])
  expect(sift(persons, rules([ada, cutoff], [bob, { ...cutoff, at: 300 }])).concluded).toEqual([])
})
