import { expect, test } from 'vitest'
import { decodeCutMetadata, encodeCutMetadata } from '../../kafka/cut-metadata.ts'
import { readBrokenPromise } from './break-promise.ts'
import {
  cutToken,
  epochRange,
  isSameEpoch,
  jointPartition,
  jointPosition,
  jointToken,
  laneOf,
  packPosition,
  unpackOffset,
} from './cut-position.ts'

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

const joint = [
  { partition: 3, start: 5, end: 9 },
  { partition: 4, start: 2, end: 2 },
]

test('a joint cut’s token names every range and the eras, and ends with how far each partition was', () => {
  const identity = { clusterId: 'c', topicId: 't', epoch: 'abcdef' }
  expect(jointToken(identity, ['0'], joint)).toBe('c/t/0/3:5:9,4:2:2/3:9,4:2')
  expect(jointToken(identity, ['x'], joint)).not.toBe(jointToken(identity, ['0'], joint))
  const longer = [joint[0]!, { partition: 4, start: 1, end: 2 }]
  expect(jointToken(identity, ['0'], longer)).not.toBe(jointToken(identity, ['0'], joint))
})

test('joint cuts of a lane have a partition number of their own, and ends that grow whoever has a share', () => {
  expect([0, 1, 2, 3, 5, 6].map(laneOf)).toEqual([0, 0, 0, 1, 1, 2])
  expect(jointPartition(1)).toBe(65_534)
  const next = [
    { partition: 3, start: 9, end: 9 },
    { partition: 4, start: 2, end: 3 },
  ]
  expect(jointPosition('abcdef', joint)).toBe(packPosition('abcdef', 11))
  expect(jointPosition('abcdef', next)).toBeGreaterThan(jointPosition('abcdef', joint))
})

test('metadata of a joint cut is of a version that earlier releases refuse, and comes back whole', () => {
  const metadata = { end: 9, rev: 6, epoch: 'abcdef', era: '0', joint }
  const text = encodeCutMetadata(metadata)
  expect(decodeCutMetadata(text)).toEqual(metadata)
  expect(JSON.parse(text).v).toBe(2)
  expect(JSON.parse(encodeCutMetadata({ ...metadata, joint: undefined })).v).toBe(1)
  for (const broken of ['"3:5"', '"3:5:9,"', '"3:-5:9"', '""', '7', 'null'])
    expect(decodeCutMetadata(text.replace('"3:5:9,4:2:2"', broken))).toBeUndefined()
  const most = [0, 1, 2].map((n) => ({ partition: 65_000 + n, start: 2 ** 40 - 2, end: 2 ** 40 - 1 }))
  expect(encodeCutMetadata({ ...metadata, joint: most, since: 2e12 }).length).toBeLessThan(400)
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
