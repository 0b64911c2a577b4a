import type kafkajs from 'kafkajs'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { fetchIngestProgress, type IngestProgress } from '../../kafka/read-ingest-progress.ts'
import type { Config } from '../../runtime/config.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Breaks } from './break-promise.ts'
import { decideStart, type PartitionStart } from './decide-start.ts'
import type { Revocations } from './follow-revocations.ts'
import { readCutEnd, readSeenEnd } from './read-stored-positions.ts'
import { pause } from './wait.ts'

/** A replica of ClickHouse may answer late: a rewind is decided on the second look only. */
const SECOND_LOOK_MS = 3_000

/**
 * Where each of the assigned partitions begins. To be called after joining: the broker refuses late commits of the last
 * owner from then on, so that what is read here stays true.
 * @throws EbbError RefusalCode (for good), or an engine's error (try again)
 */
export async function openPartitions(
  deps: {
    config: Config
    admin: kafkajs.Admin
    clickhouse: ClickHouseClient
    logger: Logger
    epoch: string
    recover: boolean
    breaks: Breaks
    signal: AbortSignal
    revocations: Pick<Revocations, 'readToHead'>
  },
  assigned: readonly number[],
): Promise<Map<number, PartitionStart>> {
  const { clickhouse, epoch, recover, signal } = deps
  // Asked after the offsets: whoever committed them had applied no more.
  const decide = async (progress: IngestProgress) => {
    const revocationsHead = await deps.revocations.readToHead(signal)
    // Whoever commits first is saved by this check for a while: the drill wants to see the loss.
    const seenEnd =
      deps.breaks('commit-first') && progress.committed >= 0
        ? progress.committed
        : await readSeenEnd(clickhouse, progress.partition, epoch)
    const cutEnd = () => readCutEnd(clickhouse, progress.partition, epoch)
    return decideStart({ ...progress, epoch, revocationsHead, seenEnd, cutEnd }, recover, () =>
      Date.now().toString(36),
    )
  }
  const starts = new Map<number, PartitionStart>()
  for (const progress of await fetchIngestProgress(deps.admin, deps.config)) {
    const { partition, committed } = progress
    if (!assigned.includes(partition)) continue
    let start = await decide(progress)
    if (start.rewound) {
      await pause(SECOND_LOOK_MS, signal)
      start = await decide(progress)
    }
    if (start.rewound)
      deps.logger.warn(
        { partition, committed, start: start.start },
        'rewound: ClickHouse holds less than Kafka says',
      )
    starts.set(partition, start)
  }
  return starts
}
