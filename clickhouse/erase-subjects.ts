import { setTimeout as sleep } from 'node:timers/promises'
import { EbbError } from '../runtime/errors.ts'
import { keepAffectedDays } from './affected-days.ts'
import { askRows, awaitPartsGone } from './await-parts-gone.ts'
import type { ClickHouseClient } from './client.ts'
import { dropSetAsideParts } from './drop-set-aside-parts.ts'
import {
  checkBatch,
  dropTokens,
  isShared,
  putTokens,
  REPEATABLE_INSERT,
  readSharedBatches,
  requireTokens,
} from './erase-tokens.ts'
import { forgetForeignMutations } from './forget-mutations.ts'
import { PERSONAL_TABLES, SUBJECT_TABLES } from './subject-tables.ts'

/** What one table's deletion leaves behind as evidence. */
export interface TableDeletion {
  table: string
  /** Ids in `system.mutations`; none when nothing was held. */
  mutations: string[]
  /** Parts that held rows of these people. */
  partsBefore: string[]
  /** Parts that stand in their place. */
  partsAfter: string[]
}

/** A mutation of little is done at once; one of a year's parts is not asked after twenty times a second. */
const FIRST_LOOK_MS = 25
const LAST_LOOK_MS = 1_000
const PATIENCE_MS = 30 * 60_000
/** A mutation that ended and left rows is followed by another one; more tries would hide a writer that nobody stopped. */
const MAX_MUTATIONS = 3

/**
 * Takes all rows of these people (tokens, 16 bytes each) out of every table of the data map that has rows of their own, physically:
 * one `ALTER … DELETE` a table for the whole batch, its old parts gone from the disk, the tokens gone from the helper table. The days
 * that they touched stay in `erase_days` for the recount.
 *
 * The same batch may be run again after a crash at any point: it finds its mutation by the batch's id, which is in its text.
 * One run of a batch at a time, and one shared batch; a batch whose id has a suffix may run beside it. Only whole-row deletion by
 * `ALTER … DELETE`: mixed with masks or patch parts it fails.
 * @throws EbbError `rows_remain`, `parts_remain`, `batch_unknown`
 */
export async function eraseSubjects(
  client: ClickHouseClient,
  batch: string,
  tokens: readonly Buffer[],
  { patienceMs = PATIENCE_MS }: { patienceMs?: number } = {},
): Promise<TableDeletion[]> {
  checkBatch(batch)
  const giveUpAt = Date.now() + patienceMs
  // Of batches that were given up half-way: nobody else takes them away, and as long as they are there the people are not gone. Read
  // before anything is done: a run that was given up and still goes on then never takes a later one's.
  const before = isShared(batch) ? await readSharedBatches(client) : []
  await putTokens(client, batch, tokens)
  await keepAffectedDays(client, batch)
  await deleteRows(client, batch, giveUpAt)
  await requireTokens(client, batch, tokens)
  const deletions = await readEvidence(client, batch)
  await dropSetAsideParts(client, PERSONAL_TABLES)
  await forgetForeignMutations(client, PERSONAL_TABLES)
  await dropTokens(client, [...new Set([...before, batch])])
  await awaitPartsGone(client, [...SUBJECT_TABLES, 'erase_tokens'], giveUpAt - Date.now())
  return deletions
}

/** One mutation a table, side by side, until no table has rows of these people. */
async function deleteRows(client: ClickHouseClient, batch: string, giveUpAt: number): Promise<void> {
  for (let started = 0; ; started++) {
    await awaitMutations(client, batch, giveUpAt)
    const holding = await keepParts(client, batch)
    if (holding.length === 0) return
    if (started === MAX_MUTATIONS)
      throw new EbbError('rows_remain', `${holding.join(', ')}: rows of erased people remain`)
    await Promise.all(
      holding.map((table) =>
        client.command({
          query: `ALTER TABLE ${table} DELETE WHERE subject IN (SELECT token FROM erase_tokens WHERE batch = '${batch}')`,
          // Replicated tables take a sub-select for one that could give another answer on each replica: this one does not.
          clickhouse_settings: { mutations_sync: '0', allow_nondeterministic_mutations: 1 },
        }),
      ),
    )
  }
}

/** Waits for what this batch, or an earlier try of it, has begun. Not `mutations_sync`: a request that breaks off must find it again. */
async function awaitMutations(client: ClickHouseClient, batch: string, giveUpAt: number): Promise<void> {
  for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(LAST_LOOK_MS, pauseMs * 1.5)) {
    const open = (await readMutations(client, batch)).find(({ is_done }) => is_done === 0)
    if (!open) return
    if (Date.now() > giveUpAt)
      throw new EbbError('rows_remain', `${open.mutation_id} of ${open.table} is not done`)
    await sleep(pauseMs)
  }
}

interface Mutation {
  table: string
  mutation_id: string
  is_done: number
  /** Parts written by it, or after it, have this number or a higher one. */
  version: number
}

async function readMutations(client: ClickHouseClient, batch: string): Promise<Mutation[]> {
  return await askRows<Mutation>(
    client,
    `SELECT table, mutation_id, is_done, arrayMin(block_numbers.number) AS version FROM system.mutations
     WHERE database = currentDatabase() AND table IN ({tables:Array(String)}) AND NOT is_killed
       AND position(command, {batch:String}) > 0 ORDER BY table, mutation_id`,
    { tables: SUBJECT_TABLES, batch },
  )
}

/** Notes the parts with rows of these people. @returns the tables that have any. */
async function keepParts(client: ClickHouseClient, batch: string): Promise<string[]> {
  const holding = SUBJECT_TABLES.map(
    (table) => `SELECT DISTINCT '${table}' AS table, _part AS part FROM ${table}
     WHERE subject IN (SELECT token FROM erase_tokens WHERE batch = {batch:String})`,
  )
  const parts = await askRows<{ table: string; part: string }>(client, holding.join(' UNION ALL '), { batch })
  if (parts.length === 0) return []
  await client.insert({
    table: 'erase_parts',
    values: parts.map((one) => ({ batch, ...one })),
    format: 'JSONEachRow',
    clickhouse_settings: REPEATABLE_INSERT,
  })
  return [...new Set(parts.map(({ table }) => table))]
}

async function readEvidence(client: ClickHouseClient, batch: string): Promise<TableDeletion[]> {
  const [mutations, before, active] = await Promise.all([
    readMutations(client, batch),
    askRows<{ table: string; part: string }>(
      client,
      'SELECT DISTINCT table, part FROM erase_parts WHERE batch = {batch:String} ORDER BY table, part',
      { batch },
    ),
    askRows<{ table: string; name: string; partition_id: string; data_version: number }>(
      client,
      `SELECT table, name, partition_id, data_version FROM system.parts
       WHERE database = currentDatabase() AND table IN ({tables:Array(String)}) AND active ORDER BY table, name`,
      { tables: SUBJECT_TABLES },
    ),
  ])
  return SUBJECT_TABLES.map((table) => {
    const own = mutations.filter((one) => one.table === table)
    const partsBefore = before.filter((one) => one.table === table).map(({ part }) => part)
    const partitions = new Set(partsBefore.map((part) => part.split('_')[0]))
    const first = Math.min(...own.map(({ version }) => version))
    return {
      table,
      mutations: own.map(({ mutation_id }) => mutation_id),
      partsBefore,
      partsAfter: active
        .filter((one) => one.table === table && one.data_version >= first && partitions.has(one.partition_id))
        .map(({ name }) => name),
    }
  })
}
