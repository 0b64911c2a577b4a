import kafkajs from 'kafkajs'
import { laneOf } from './cut-position.ts'

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol

/**
 * A name that no other release's assigner has: the broker admits a member only if all others offer the same one, so that
 * nobody who hands out partitions one by one can tear a lane apart.
 */
const NAME = 'EbbLanes'
/** Of the wire format, which brokers read too. */
const VERSION = 0

/**
 * Hands out whole lanes, in turn: the partitions of a lane move together, since a joint cut is repeated whole. Members beyond
 * the number of lanes stand by.
 * @param onCluster is handed kafkajs's cluster: this is the one public way to it
 */
export function createLaneAssigner(onCluster: (cluster: kafkajs.Cluster) => void): kafkajs.PartitionAssigner {
  return ({ cluster }) => {
    onCluster(cluster)
    return {
      name: NAME,
      version: VERSION,
      protocol: ({ topics }) => ({
        name: NAME,
        metadata: MemberMetadata.encode({ version: VERSION, topics, userData: Buffer.alloc(0) }),
      }),
      async assign({ members, topics }) {
        const memberIds = members.map(({ memberId }) => memberId).sort()
        const shares = new Map(memberIds.map((memberId) => [memberId, {} as Record<string, number[]>]))
        for (const topic of topics) {
          const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId)
          const assigned = assignLanes(partitions, memberIds)
          for (const [memberId, share] of shares) share[topic] = assigned.get(memberId) ?? []
        }
        return [...shares].map(([memberId, assignment]) => ({
          memberId,
          memberAssignment: MemberAssignment.encode({
            version: VERSION,
            assignment,
            userData: Buffer.alloc(0),
          }),
        }))
      },
    }
  }
}

/** @returns each member's partitions, always whole lanes; members without any are left out */
export function assignLanes(
  partitions: readonly number[],
  memberIds: readonly string[],
): Map<string, number[]> {
  const assigned = new Map<string, number[]>()
  for (const partition of [...partitions].sort((a, b) => a - b)) {
    const memberId = memberIds[laneOf(partition) % memberIds.length]!
    assigned.set(memberId, [...(assigned.get(memberId) ?? []), partition])
  }
  return assigned
}
