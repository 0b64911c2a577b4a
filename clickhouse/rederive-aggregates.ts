import { EbbError } from '../runtime/errors.ts'
import { type AppDay, readAffectedDays } from './affected-days.ts'
import { askRows, awaitPartsGone, readServerTime } from './await-parts-gone.ts'
import type { ClickHouseClient } from './client.ts'
import { DAY_MARTS } from './day-marts.ts'
import { dropBatch, isShared } from './erase-tokens.ts'
import { type LiveAggregate, readLiveAggregates } from './live-aggregates.ts'
import { rederiveMarts } from './rederive-marts.ts'
import { prepareMonth, type RederivedMonth, refreshMonth, swapMonth } from './rederive-month.ts'

/**
 * Runs `work` while nothing is inserted into ClickHouse; `leftMs` says for how long that is still sure.
 * @throws EbbError `hold_not_granted`
 */
export type WithIngestHeld = <T>(work: (leftMs: () => number) => Promise<T>) => Promise<T>

export interface Rederived {
  /** Days of apps that were counted again. */
  days: AppDay[]
  /** Partitions that were replaced, as `table/partition`. */
  partitions: string[]
  /** How long ingest was held, milliseconds. */
  heldMs: number
}

const PATIENCE_MS = 30 * 60_000
/** A month is swapped only while this much of the hold is left: it takes a tenth of it. */
const SWAP_MS = 3_000
const MAX_HOLDS = 10
/** What came while months were built in this time is counted within the hold in less. */
const QUICK_MS = 1_000

/**
 * Counts the aggregates of all days that erasures touched again from raw, so that they hold nobody who is gone, not even as a hash
 * in a `uniq` state: the live tables, the published marts and their staging. Afterwards raw, live and batch figures agree.
 *
 * The live tables are built anew beside themselves, a month's partition at a time, while ingest goes on; then ingest is held for
 * as long as it takes to count again what came meanwhile and to swap the partitions. Inserted beside the views' tables, so no
 * view sees a row twice. May be run again after a crash at any point; a run that was given up and still goes on loses
 * its helper tables to the next and can swap nothing.
 * Cost: one scan of the touched days of raw for each aggregate; the months' aggregates are copied.
 * @throws EbbError `parts_remain`, `hold_not_granted`, `staging_busy`
 */
export async function rederiveAggregates({
  clickhouse: client,
  withIngestHeld,
  only,
  patienceMs = PATIENCE_MS,
}: {
  clickhouse: ClickHouseClient
  withIngestHeld: WithIngestHeld
  /** Days of this batch alone; default: of all shared ones, those that were given up with them. */
  only?: string
  patienceMs?: number
}): Promise<Rederived> {
  const giveUpAt = Date.now() + patienceMs
  const kept = (await readAffectedDays(client)).filter(({ batch }) =>
    only === undefined ? isShared(batch) : batch === only,
  )
  const days = distinctDays(kept)
  if (days.length === 0) return { days, partitions: [], heldMs: 0 }
  const [gone] = await Promise.all([readServerTime(client), dropHelpers(client)])
  const partitions = await rederiveMarts(client, days, gone, giveUpAt - Date.now())
  const aggregates = await readLiveAggregates(client)
  const live = await rederiveLive(client, aggregates, days, withIngestHeld)
  partitions.push(...live.partitions)
  const tables = [
    ...aggregates.map(({ table }) => table),
    ...DAY_MARTS.flatMap(({ table, staging }) => [table, staging]),
  ]
  await awaitPartsGone(client, tables, giveUpAt - Date.now())
  for (const batch of new Set(kept.map((row) => row.batch))) {
    await dropBatch(client, 'erase_parts', batch)
    await dropBatch(client, 'erase_days', batch)
  }
  return { days, partitions, heldMs: live.heldMs }
}

interface MonthPlan {
  month: RederivedMonth
  aggregates: LiveAggregate[]
}

async function rederiveLive(
  client: ClickHouseClient,
  aggregates: readonly LiveAggregate[],
  days: readonly AppDay[],
  withIngestHeld: WithIngestHeld,
): Promise<{ partitions: string[]; heldMs: number }> {
  const plans = await planMonths(client, aggregates, days)
  const needed = new Map(plans.flatMap((plan) => plan.aggregates).map(({ helper, table }) => [helper, table]))
  for (const [helper, table] of needed) await client.command({ query: `CREATE TABLE ${helper} AS ${table}` })
  const start = performance.now()
  for (const { month, aggregates: built } of plans) await prepareMonth(client, built, month)
  // Once more without a hold: what came while the year was counted need not be counted while ingest waits.
  if (performance.now() - start > QUICK_MS)
    for (const { month, aggregates: built } of plans) await refreshMonth(client, built, month)
  const heldMs = await swapAll(client, plans, withIngestHeld)
  for (const helper of needed.keys()) await client.command({ query: `DROP TABLE IF EXISTS ${helper} SYNC` })
  return {
    partitions: plans.flatMap(({ month, aggregates: built }) =>
      built.map(({ table }) => `${table}/${month.id}`),
    ),
    heldMs,
  }
}

/** Swaps all months under one hold, or under several when it runs out. @returns how long ingest was held */
async function swapAll(
  client: ClickHouseClient,
  plans: readonly MonthPlan[],
  withIngestHeld: WithIngestHeld,
): Promise<number> {
  let left = [...plans]
  let heldMs = 0
  for (let holds = 0; left.length > 0; holds++) {
    if (holds === MAX_HOLDS) throw new EbbError('hold_not_granted', 'no hold was long enough to swap a month')
    await withIngestHeld(async (leftMs) => {
      const start = performance.now()
      while (left[0]) {
        const { month, aggregates } = left[0]
        await refreshMonth(client, aggregates, month)
        if (leftMs() < SWAP_MS) break
        await swapMonth(client, aggregates, month)
        left = left.slice(1)
      }
      heldMs += performance.now() - start
    })
  }
  return heldMs
}

/** Months that were touched, each with the live tables that have anything of it. */
async function planMonths(
  client: ClickHouseClient,
  aggregates: readonly LiveAggregate[],
  days: readonly AppDay[],
): Promise<MonthPlan[]> {
  const held = await askRows<{ table: string; id: string }>(
    client,
    `SELECT DISTINCT table, partition_id AS id FROM system.parts WHERE database = currentDatabase() AND active AND rows > 0
       AND table IN ({tables:Array(String)})`,
    { tables: aggregates.map(({ table }) => table) },
  )
  const monthOf = ({ day }: AppDay) => day.slice(0, 7).replace('-', '')
  const months = [...new Set(days.map(monthOf))].sort().map((id) => ({
    month: { id, touched: days.filter((one) => monthOf(one) === id), raw: new Map() },
    aggregates: aggregates.filter(({ table }) => held.some((part) => part.table === table && part.id === id)),
  }))
  // Ingest is not held for a month of which nothing is summed up any more.
  return months.filter((plan) => plan.aggregates.length > 0)
}

/** Also those of a run that was given up: they hold states of people who were being erased. */
async function dropHelpers(client: ClickHouseClient): Promise<void> {
  const helpers = await askRows<{ name: string }>(
    client,
    `SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'rederive_')`,
  )
  for (const { name } of helpers) await client.command({ query: `DROP TABLE IF EXISTS ${name} SYNC` })
}

function distinctDays(kept: readonly AppDay[]): AppDay[] {
  const seen = new Map(kept.map(({ app, day }) => [`${app} ${day}`, { app, day }]))
  return [...seen.values()]
}
