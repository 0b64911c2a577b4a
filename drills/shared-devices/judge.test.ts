import { expect, test } from 'vitest'
import type { Graph, Link, Node } from './graphs.ts'
import { findLateLink, judge, judgeLate, type Trial } from './judge.ts'

const node = (kind: Node['kind'], mark: string): Node => ({ kind, id: mark, mark })
const [ada, bob, eve] = [node('user', 'ada'), node('user', 'bob'), node('user', 'eve')] as const
const [phone, tablet] = [node('device', 'phone'), node('device', 'tablet')] as const
const link = (from: Node, to: Node): Link => ({ from, to })
const graph: Graph = {
  nodes: [ada, bob, eve, phone, tablet],
  links: [link(phone, ada)],
  seenTogether: [link(phone, bob)],
  start: ada,
}
const sent = (one: Link, sentAt: number, answeredAt = sentAt) => ({ link: one, sentAt, answeredAt })
const trial = (...during: Trial['during']): Trial => ({
  graph,
  askedAt: 100,
  blockedAt: 200,
  during,
  stored: [],
})
const marks = (nodes: Iterable<Node>) => [...nodes].map(({ mark }) => mark).sort()

test('whoever was linked before the request is gone, whoever after the block is not, between the two either holds', () => {
  const { gone, perhaps } = judge(
    trial(sent(link(tablet, ada), 50), sent(link(tablet, bob), 150), sent(link(phone, eve), 201)),
  )
  expect(marks(gone)).toEqual(['ada', 'phone', 'tablet'])
  expect(marks(perhaps)).toEqual(['ada', 'bob', 'phone', 'tablet'])
})

test('a link that the vault took before the block decides', () => {
  const one = trial(sent(link(tablet, ada), 150), sent(link(phone, bob), 150))
  expect(marks(judge({ ...one, stored: [link(tablet, ada)] }).gone)).toEqual(['ada', 'phone', 'tablet'])
})

test('a link that is answered too late for the request is not taken for one in time', () => {
  expect(marks(judge(trial(sent(link(tablet, ada), 50, 101))).gone)).toEqual(['ada', 'phone'])
})

test('a late link takes its other end, and whom that one is linked to; not over a link that was perhaps refused', () => {
  const one = trial(sent(link(tablet, bob), 300), sent(link(bob, eve), 300))
  const before = judge(one)
  const late = findLateLink(one, before)!
  expect([late.from.mark, late.to.mark]).toEqual(['ada', 'bob'])
  const after = judgeLate(one, before, late)
  expect(marks(after.gone)).toEqual(['ada', 'bob', 'eve', 'phone', 'tablet'])

  const torn = trial(sent(link(tablet, ada), 150), sent(link(tablet, bob), 300))
  const { gone, perhaps } = judgeLate(torn, judge(torn), link(ada, bob))
  expect(marks(gone)).toEqual(['ada', 'bob', 'phone'])
  expect(marks(perhaps)).toEqual(['ada', 'bob', 'phone', 'tablet'])
})

test('a link of two devices is none', () => {
  const devices: Graph = { ...graph, nodes: [phone, tablet], links: [], start: phone }
  const one: Trial = { ...trial(), graph: devices }
  expect(findLateLink(one, judge(one))).toBeUndefined()
})
