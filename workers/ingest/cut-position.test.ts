import { expect, test } from 'vitest'
import { decodeCutMetadata, encodeCutMetadata } from '../../kafka/cut-metadata.ts'
import { readBrokenPromise } from './break-promise.ts'
import { cutToken, epochRange, isSameEpoch, packPosition, unpackOffset } from './cut-position.ts'

test('a position holds epoch and offset in 64 bits and gives both back', () => {
  const position = packPosition('ffffff', 2 ** 40 - 1)
  expect(position).toBe(2n ** 64n - 1n)
  expect(unpackOffset(packPosition('abcdef', 123_456_789_012))).toBe(123_456_789_012)
  expect(isSameEpoch(packPosition('abcdef', 1), packPosition('abcdef', 2))).toBe(true)
  expect(isSameEpoch(packPosition('abcdef', 1), packPosition('abcdee', 1))).toBe(false)
  const { from, to } = epochRange('abcdef')
  expect([from, to]).toEqual([packPosition('abcdef', 0), packPosition('abcdef', 2 ** 40 - 1)])
})

test('a token names cluster, topic, era, partition, start and end: any other makes another token', () => {
  const identity = { clusterId: 'c', topicId: 't', epoch: 'abcdef' }
  const cut = { partition: 1, start: 2, end: 3, era: '0' }
  const tokens = new Set([
    cutToken(identity, cut),
    cutToken({ ...identity, clusterId: 'd' }, cut),
    cutToken({ ...identity, topicId: 'u' }, cut),
    cutToken(identity, { ...cut, era: '1' }),
    cutToken(identity, { ...cut, partition: 2 }),
    cutToken(identity, { ...cut, start: 1 }),
    cutToken(identity, { ...cut, end: 4 }),
  ])
  expect(tokens.size).toBe(7)
})

test('metadata comes back as it went in, and what somebody else wrote is none', () => {
  const metadata = { end: 5, rev: 6, epoch: 'abcdef', era: '0' }
  expect(decodeCutMetadata(encodeCutMetadata(metadata))).toEqual(metadata)
  for (const text of [null, '', 'x', '{}', '[]', 'null', '{"v":1,"end":"5","rev":6,"epoch":"a","era":"0"}'])
    expect(decodeCutMetadata(text)).toBeUndefined()
})

test('a promise is broken only in a drill, and only a known one', () => {
  expect(readBrokenPromise({})('no-token')).toBe(false)
  const breaks = readBrokenPromise({ EBB_DRILL: '1', EBB_INGEST_BREAK: 'no-token' })
  expect([breaks('no-token'), breaks('no-seen')]).toEqual([true, false])
  expect(() => readBrokenPromise({ EBB_INGEST_BREAK: 'no-token' })).toThrow('EBB_DRILL')
  expect(() => readBrokenPromise({ EBB_DRILL: '1', EBB_INGEST_BREAK: 'no-such' })).toThrow('EBB_DRILL')
})
