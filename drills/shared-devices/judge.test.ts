import { expect, test } from 'vitest'
import type { Graph, Link, Node } from './graphs.ts'
import { countTried, findFault, findLateLink, type Held, judge, judgeLate, type Trial } from './judge.ts'

const node = (kind: Node['kind'], mark: string): Node => ({ kind, id: mark, mark })
const [ada, bob, eve] = [node('user', 'ada'), node('user', 'bob'), node('user', 'eve')] as const
const [phone, tablet] = [node('device', 'phone'), node('device', 'tablet')] as const
const link = (from: Node, to: Node): Link => ({ from, to })
const graph: Graph = {
  nodes: [ada, bob, eve, phone, tablet],
  links: [link(phone, ada)],
  seenTogether: [link(phone, bob)],
  start: ada,
  during: [],
  isToldLate: false,
}
const sent = (one: Link, sentAt: number, answeredAt = sentAt) => ({ link: one, sentAt, answeredAt })
const trial = (during: Trial['during'], stored: Link[] = []): Trial => ({
  ...{ graph, askedAt: 100, blockedAt: 200, during, stored },
})
const marks = (nodes: Iterable<Node>) => [...nodes].map(({ mark }) => mark).sort()

test('whoever was linked before the request goes, whoever after the block does not, between the two either holds', () => {
  const { mustGo, mayGo } = judge(
    trial([sent(link(tablet, ada), 50), sent(link(tablet, bob), 150), sent(link(phone, eve), 201)]),
  )
  expect(marks(mustGo)).toEqual(['ada', 'phone', 'tablet'])
  expect(marks(mayGo)).toEqual(['ada', 'bob', 'phone', 'tablet'])
})

test('a link of before the block decides when the vault took it', () => {
  const during = [sent(link(tablet, ada), 150), sent(link(phone, bob), 150)]
  const one = trial(during, [link(tablet, ada)])
  expect(marks(judge(one).mustGo)).toEqual(['ada', 'phone', 'tablet'])
  expect(countTried(one, judge(one))).toEqual({ taken: 1, refused: 0 })
})

test('a link to somebody blocked, sent after the block and taken, is a fault and decides nothing', () => {
  const late = link(phone, eve)
  const taken = judge(trial([sent(late, 201)], [late]))
  expect(taken.takenTooLate).toEqual([late])
  expect(marks(taken.mustGo)).toEqual(['ada', 'phone'])
  const refused = trial([sent(late, 201)])
  expect(judge(refused).takenTooLate).toEqual([])
  expect(countTried(refused, judge(refused))).toEqual({ taken: 0, refused: 1 })
  // Of two whom nobody has blocked it is none.
  expect(judge(trial([sent(link(tablet, eve), 201)], [link(tablet, eve)])).takenTooLate).toEqual([])
})

test('where nobody could look in time, what was sent during the erasure decides nothing', () => {
  const one = { ...trial([sent(link(tablet, ada), 50), sent(link(phone, bob), 300)]), stored: undefined }
  const { mustGo, mayGo, takenTooLate } = judge(one)
  expect(marks(mustGo)).toEqual(['ada', 'phone', 'tablet'])
  expect(marks(mayGo)).toEqual(['ada', 'bob', 'phone', 'tablet'])
  expect([takenTooLate, countTried(one, judge(one)).refused]).toEqual([[], 0])
})

test('a link that is answered too late for the request is not taken for one in time', () => {
  expect(marks(judge(trial([sent(link(tablet, ada), 50, 101)])).mustGo)).toEqual(['ada', 'phone'])
})

test('a late link takes its other end, and whom that one is linked to; not over a link that was perhaps refused', () => {
  const one = trial([sent(link(tablet, bob), 300), sent(link(bob, eve), 300)])
  const before = judge(one)
  const late = findLateLink(one, before)!
  expect([late.from.mark, late.to.mark]).toEqual(['ada', 'bob'])
  const after = judgeLate(one, before, late)
  expect(marks(after.mustGo)).toEqual(['ada', 'bob', 'eve', 'phone', 'tablet'])

  const torn = trial([sent(link(tablet, ada), 150), sent(link(tablet, bob), 300)])
  const { mustGo, mayGo } = judgeLate(torn, judge(torn), link(ada, bob))
  expect(marks(mustGo)).toEqual(['ada', 'bob', 'phone'])
  expect(marks(mayGo)).toEqual(['ada', 'bob', 'phone', 'tablet'])
})

test('a link of two devices is none', () => {
  const one: Trial = { ...trial([]), graph: { ...graph, nodes: [phone, tablet], links: [], start: phone } }
  expect(findLateLink(one, judge(one))).toBeUndefined()
})

const held = (rows: string[], traces: number, marked = rows.length): Held => ({
  rows,
  marked,
  traces,
})
const verdict = { mustGo: new Set([ada]), mayGo: new Set([ada, bob]), takenTooLate: [] }
test.each<[string, Node, Held, 'left' | 'changed' | undefined]>([
  ['nothing of who must go', ada, held([], 0), undefined],
  ['a row of who must go', ada, held(['a'], 0), 'left'],
  ['a row of theirs under another token', ada, held([], 0, 1), 'left'],
  ['a subject of theirs', ada, held([], 1), 'left'],
  ['nothing of who may go', bob, held([], 0), undefined],
  ['all of who may go', bob, held(['a', 'b', 'c'], 1), undefined],
  ['a part of who may go', bob, held(['a', 'b'], 1), 'changed'],
  ['rows of who may go, without a subject', bob, held(['a', 'b', 'c'], 0), 'changed'],
  ['all of somebody else', eve, held(['c', 'b', 'a'], 1), undefined],
  ['nothing of somebody else', eve, held([], 0), 'changed'],
  ['a changed row of somebody else', eve, held(['a', 'x', 'c'], 1), 'changed'],
  ['a row too many of somebody else', eve, held(['a', 'b', 'c', 'd'], 1), 'changed'],
])('finds %s', (_, one, after, fault) => {
  expect(findFault(one, verdict, { before: held(['a', 'b'], 1), after, sent: 3 })).toBe(fault)
})
