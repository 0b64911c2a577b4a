import type kafkajs from 'kafkajs'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { fetchIngestProgress, type IngestProgress } from '../../kafka/read-ingest-progress.ts'
import type { Config } from '../../runtime/config.ts'
import { EbbError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Breaks } from './break-promise.ts'
import { ADVICE, decideStart, type PartitionStart, type RefusalCode } from './decide-start.ts'
import { findTornCuts } from './find-torn-cuts.ts'
import type { Revocations } from './follow-revocations.ts'
import { INSERT_DEADLINE_MS } from './limits.ts'
import { readCutEnd, readSeenEnd } from './read-stored-positions.ts'
import { pause } from './wait.ts'

/** A replica of ClickHouse may answer late: a rewind is decided on the second look only. */
const SECOND_LOOK_MS = 3_000

export interface OpenPartitionsDeps {
  config: Config
  admin: kafkajs.Admin
  clickhouse: ClickHouseClient
  logger: Logger
  epoch: string
  recover: boolean
  breaks: Breaks
  signal: AbortSignal
  revocations: Pick<Revocations, 'readToHead'>
}

/**
 * Where each of the assigned partitions begins. To be called after joining: the broker refuses late commits of the last
 * owner from then on, so that what is read here stays true.
 * @throws EbbError RefusalCode (for good), or an engine's error (try again)
 */
export async function openPartitions(
  deps: OpenPartitionsDeps,
  assigned: readonly number[],
): Promise<Map<number, PartitionStart>> {
  const starts = new Map<number, PartitionStart>()
  const all = await fetchIngestProgress(deps.admin, deps.config)
  const own = all.filter(({ partition }) => assigned.includes(partition))
  for (const progress of own) {
    let start = await decide(deps, progress)
    if (start.rewound) {
      await pause(SECOND_LOOK_MS, deps.signal)
      start = await decide(deps, progress)
    }
    starts.set(progress.partition, start)
  }
  await settleTornCuts(deps, own, starts)
  for (const { partition, committed } of own) {
    const { rewound, start } = starts.get(partition)!
    if (rewound)
      deps.logger.warn({ partition, committed, start }, 'rewound: ClickHouse holds less than Kafka says')
  }
  return starts
}

async function decide(deps: OpenPartitionsDeps, progress: IngestProgress): Promise<PartitionStart> {
  const { clickhouse, epoch } = deps
  // Asked after the offsets: whoever committed them had applied no more.
  const revocationsHead = await deps.revocations.readToHead(deps.signal)
  // Whoever commits first is saved by this check for a while: the drill wants to see the loss.
  const seenEnd =
    deps.breaks('commit-first') && progress.committed >= 0
      ? progress.committed
      : await readSeenEnd(clickhouse, progress.partition, epoch)
  const cutEnd = () => readCutEnd(clickhouse, progress.partition, epoch)
  return decideStart({ ...progress, epoch, revocationsHead, seenEnd, cutEnd }, deps.recover, newEra)
}

function newEra(): string {
  return Date.now().toString(36)
}

/**
 * A joint cut that cannot be repeated whole is nobody's to guess about: a part of it under another token could be counted
 * twice. On the operator's word its partitions begin behind it where its rows are stored, else at its beginning.
 * @throws EbbError `joint_cut_torn`
 */
async function settleTornCuts(
  deps: OpenPartitionsDeps,
  own: readonly IngestProgress[],
  starts: Map<number, PartitionStart>,
): Promise<void> {
  const torn = findTornCuts(starts)
  if (torn.length === 0) return
  if (!deps.recover) {
    const code: RefusalCode = 'joint_cut_torn'
    throw new EbbError(
      code,
      `partitions ${torn.join(', ')}: declared in one cut with others that have moved; ${ADVICE}`,
    )
  }
  // An earlier owner that sleeps may still insert the whole: look at what is stored once it may no longer.
  await pause(INSERT_DEADLINE_MS, deps.signal)
  for (const { partition, committed, high } of own.filter((one) => torn.includes(one.partition))) {
    const stored = (await readCutEnd(deps.clickhouse, partition, deps.epoch)) ?? committed
    const start = Math.min(Math.max(stored, committed), high)
    starts.set(partition, { start, declared: undefined, era: newEra(), rewound: true })
  }
}
