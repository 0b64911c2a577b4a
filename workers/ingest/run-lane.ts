import { EbbError } from '../../runtime/errors.ts'
import { chooseRound } from './choose-round.ts'
import type { Revocations } from './follow-revocations.ts'
import type { PartitionCommit } from './group-commit.ts'
import { type IngestRecord, isReadable } from './inspect-record.ts'
import { CUT_INTERVAL_MS, CUT_LARGE_ROWS, RETRY_FIRST_MS, RETRY_LONGEST_MS } from './limits.ts'
import { type Lane, type OwnedPartition, openLane, type RoundCut } from './open-lane.ts'
import { createBackoff, pause, type Waker } from './wait.ts'
import { type RoundDeps, writeRound } from './write-round.ts'

export interface LaneDeps extends RoundDeps {
  revocations: Revocations
  /** Woken when a buffer of the lane gets records. */
  arrivals: Pick<Waker, 'wait'>
  /** Commits for partitions of the lane, fenced. @throws EbbError `session_over`, `commit_failed` */
  commit(commits: readonly PartitionCommit[]): Promise<void>
  /** A round begins; by performance.now(). */
  began(now: number): void
  /** Finish the round at hand, acknowledge it and return. */
  isDraining(): boolean
}

/** An idle lane looks this often whether revocations came, and commits that it saw them. */
const IDLE_MS = 500

/** A held lane looks this often whether it may go on. */
const HELD_MS = 200

export type LaneErrorCode = 'format_not_known'

const ADVICE =
  'the next records have a row format that this release does not know; see docs/operating-ingest.md'

/**
 * One lane, round after round, for as long as this member owns it. Each commit speaks for all of its partitions: committed
 * offsets are where the cuts being written start, the metadata says where they end, so that it acknowledges the last round
 * and declares the next.
 * @throws EbbError RoundErrorCode, LaneErrorCode, RevocationsErrorCode
 */
export async function runLane(deps: LaneDeps, owned: readonly OwnedPartition[]): Promise<void> {
  const { breaks, commit, identity } = deps
  const lane = openLane({ epoch: identity.epoch, breaks, commit }, owned)
  if (!breaks('no-declared-end') && !(await repeatDeclared(deps, lane, owned))) return
  let lastStart = 0
  while (!deps.signal.aborted) {
    if (isEmpty(lane) || deps.isDraining()) {
      await acknowledgeIdle(deps, lane)
      if (deps.isDraining()) return
      if (isEmpty(lane)) await deps.arrivals.wait(IDLE_MS)
      continue
    }
    if (bufferedRows(lane) < CUT_LARGE_ROWS) {
      const rest = lastStart + CUT_INTERVAL_MS - performance.now()
      if (rest > 1) await pause(rest, deps.signal)
    }
    lastStart = performance.now()
    deps.began(lastStart)
    const rev = await readToHead(deps)
    lane.see(rev)
    if (Date.now() < deps.revocations.heldUntil()) {
      await lane.acknowledge()
      await pause(HELD_MS, deps.signal)
      continue
    }
    const cuts = chooseRound(lane, rev)
    if (cuts.some(hasNewerFormat)) {
      // What was written before is acknowledged first: an open cut is forgotten by ClickHouse if this lasts.
      await lane.acknowledge()
      throw formatNotKnown(cuts)
    }
    await writeRound(deps, lane, cuts, { inherited: false })
  }
}

/**
 * Repeats what an earlier owner declared and did not acknowledge: precisely these cuts, each filtered as it was then, whether
 * they were one insert or one a partition. They are finished first and also while ingest is held: their owner declared them
 * before it knew of the hold, and only the commit after them says so.
 * @returns false when this member must go before it has all their records
 */
async function repeatDeclared(
  deps: LaneDeps,
  lane: Lane,
  owned: readonly OwnedPartition[],
): Promise<boolean> {
  const isShort = ({ begin, buffer }: OwnedPartition) =>
    begin.declared !== undefined && buffer.nextOffset() < begin.declared.end
  while (owned.some(isShort)) {
    if (deps.isDraining() || deps.signal.aborted) return false
    await deps.arrivals.wait(IDLE_MS)
  }
  const cuts = lane.partitions.flatMap((owner): RoundCut[] => {
    const declared = owned.find(({ partition }) => partition === owner.partition)!.begin.declared
    if (!declared) return []
    const { partition, position, era } = owner
    const records = owner.buffer.records().slice(0, declared.end - position)
    return [{ owner, cut: { ...declared, partition, era, start: position }, records }]
  })
  if (cuts.length === 0) return true
  await deps.revocations.readTo(Math.max(...cuts.map(({ cut }) => cut.rev)), deps.signal)
  if (cuts.some(hasNewerFormat)) throw formatNotKnown(cuts)
  await writeRound(deps, lane, cuts, { inherited: true })
  return true
}

/**
 * At once when caught up: a cut left open is overtaken by other lanes' blocks in ClickHouse's memory. Later on, that
 * revocations were seen: whoever waits for every partition to have applied them must not wait for its next record.
 */
async function acknowledgeIdle(deps: LaneDeps, lane: Lane): Promise<void> {
  if (await lane.acknowledge()) return
  lane.see(await readToHead(deps))
  await lane.acknowledge()
}

function isEmpty(lane: Lane): boolean {
  return lane.partitions.every(({ buffer }) => buffer.records().length === 0)
}

function bufferedRows(lane: Lane): number {
  return lane.partitions.reduce((sum, { buffer }) => sum + buffer.rows(), 0)
}

function hasNewerFormat({ records }: RoundCut): boolean {
  return records.some(isOfNewerGate)
}

function isOfNewerGate(record: IngestRecord): boolean {
  return record.poison === undefined && !isReadable(record)
}

function formatNotKnown(cuts: readonly RoundCut[]): EbbError {
  const partitions = cuts.filter(hasNewerFormat).map(({ cut }) => cut.partition)
  return new EbbError('format_not_known', `partition ${partitions.join(', ')}: ${ADVICE}`)
}

async function readToHead(deps: LaneDeps): Promise<number> {
  const backoff = createBackoff(RETRY_FIRST_MS, RETRY_LONGEST_MS, deps.signal)
  for (;;) {
    try {
      return await deps.revocations.readToHead(deps.signal)
    } catch (error) {
      if (error instanceof EbbError) throw error
      deps.logger.warn({ error: (error as Error).name }, 'head of revocations is not known')
      await backoff()
    }
  }
}
