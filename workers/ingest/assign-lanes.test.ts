import kafkajs from 'kafkajs'
import { expect, test } from 'vitest'
import { assignLanes, createLaneAssigner } from './assign-lanes.ts'

test('a lane goes to one member whole, lanes go round, and members beyond them stand by', () => {
  const all = [7, 0, 1, 2, 3, 4, 5, 6]
  expect(assignLanes(all, ['a', 'b'])).toEqual(
    new Map([
      ['a', [0, 1, 2, 6, 7]],
      ['b', [3, 4, 5]],
    ]),
  )
  expect(assignLanes([0, 1, 2], ['a', 'b', 'c'])).toEqual(new Map([['a', [0, 1, 2]]]))
})

test('more partitions make more lanes and move none of those that were full', () => {
  const members = ['a', 'b', 'c']
  const before = assignLanes([0, 1, 2, 3], members)
  const after = assignLanes([0, 1, 2, 3, 4, 5, 6], members)
  expect(after.get('a')).toEqual(before.get('a'))
  expect(after.get('b')).toEqual([3, 4, 5])
})

test('every member is told its share over the wire, also the one without', async () => {
  const partitions = [0, 1, 2].map((partitionId) => ({ partitionId }))
  let handed: unknown
  const cluster = { findTopicPartitionMetadata: () => partitions } as unknown as kafkajs.Cluster
  const assigner = createLaneAssigner((found) => {
    handed = found
  })({ cluster, groupId: 'g', logger: {} as kafkajs.Logger })
  expect(handed).toBe(cluster)
  expect(assigner.name).not.toBe('RoundRobinAssigner')
  expect(assigner.protocol({ topics: ['events'] }).name).toBe(assigner.name)
  const members = ['m2', 'm1'].map((memberId) => ({ memberId, memberMetadata: Buffer.alloc(0) }))
  const told = await assigner.assign({ members, topics: ['events'] })
  const shares = told.map(({ memberId, memberAssignment }) => [
    memberId,
    kafkajs.AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment,
  ])
  expect(shares).toEqual([
    ['m1', { events: [0, 1, 2] }],
    ['m2', { events: [] }],
  ])
})
