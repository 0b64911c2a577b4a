import { formatRanges } from '../../kafka/cut-metadata.ts'
import type { PartitionStart } from './decide-start.ts'

/**
 * Partitions whose share of a joint cut cannot be repeated, because another share is not as it was declared, or a partition
 * without a share is behind what the cut says of it: an offset was moved back or set by somebody. One commit declares all
 * shares, so that a crash alone never leaves it so.
 * @param starts of all partitions that this member was assigned
 */
export function findTornCuts(starts: ReadonlyMap<number, PartitionStart>): number[] {
  return [...starts].filter(([partition]) => !isWhole(partition, starts)).map(([partition]) => partition)
}

function isWhole(partition: number, starts: ReadonlyMap<number, PartitionStart>): boolean {
  const declared = starts.get(partition)?.declared
  if (!declared?.joint) return true
  const shares = declared.joint.filter(({ start, end }) => start < end)
  const text = formatRanges(declared.joint)
  const isAsDeclared = ({ partition, start, end }: (typeof shares)[number]) => {
    const other = starts.get(partition)
    const its = other?.declared
    return (
      other?.start === start &&
      its?.end === end &&
      its.rev === declared.rev &&
      its.joint !== undefined &&
      formatRanges(its.joint) === text
    )
  }
  // The cut's rows say of every partition of the lane how far it was: a repeat must not say more than is stored.
  const isStored = ({ partition, end }: (typeof shares)[number]) =>
    (starts.get(partition)?.start ?? end) >= end
  return (
    shares.some((share) => share.partition === partition) &&
    shares.every(isAsDeclared) &&
    declared.joint.filter(({ start, end }) => start === end).every(isStored)
  )
}
