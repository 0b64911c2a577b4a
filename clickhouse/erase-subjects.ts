import { setTimeout as sleep } from 'node:timers/promises'
import { EbbError } from '../runtime/errors.ts'
import { keepAffectedDays } from './affected-days.ts'
import { askRows, awaitPartsGone } from './await-parts-gone.ts'
import type { ClickHouseClient } from './client.ts'
import { dropSetAsideParts } from './drop-set-aside-parts.ts'
import { checkBatch, dropTokens, putTokens, REPEATABLE_INSERT } from './erase-tokens.ts'
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

const LOOK_MS = 50
const PATIENCE_MS = 30 * 60_000
/** A mutation that ended and left rows is followed by another one; more tries would hide a writer that nobody stopped. */
const MAX_MUTATIONS = 3

/**
 * Takes all rows of these people (tokens, 16 bytes each) out of every table of the data map that has rows of their own, physically:
 * one `ALTER … DELETE` a table for the whole batch, its old parts gone from the disk, the tokens gone from the helper table. The days
 * that they touched stay in `erase_days` for the recount.
 *
 * The same batch may be run again after a crash at any point: it finds its mutation by the batch's id, which is in its text.
 * One run of a batch at a time. Only whole-row deletion by `ALTER … DELETE`: mixed with masks or patch parts it fails.
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
  await putTokens(client, batch, tokens)
  await keepAffectedDays(client, batch)
  const deletions = await Promise.all(
    SUBJECT_TABLES.map((table) => deleteFrom(client, table, batch, giveUpAt)),
  )
  await dropSetAsideParts(client, PERSONAL_TABLES)
  await dropTokens(client, batch)
  await awaitPartsGone(client, [...SUBJECT_TABLES, 'erase_tokens'], giveUpAt - Date.now())
  return deletions
}

async function deleteFrom(
  client: ClickHouseClient,
  table: string,
  batch: string,
  giveUpAt: number,
): Promise<TableDeletion> {
  for (let started = 0; ; ) {
    await awaitMutations(client, table, batch, giveUpAt)
    if ((await keepParts(client, table, batch)) === 0) return await readEvidence(client, table, batch)
    if (started === MAX_MUTATIONS) throw new EbbError('rows_remain', `${table} keeps rows of erased people`)
    await client.command({
      query: `ALTER TABLE ${table} DELETE WHERE subject IN (SELECT token FROM erase_tokens WHERE batch = '${batch}')`,
      // Replicated tables take a sub-select for one that could give another answer on each replica: this one does not.
      clickhouse_settings: { mutations_sync: '0', allow_nondeterministic_mutations: 1 },
    })
    started++
  }
}

/** Waits for what this batch, or an earlier try of it, has begun. Not `mutations_sync`: a request that breaks off must find it again. */
async function awaitMutations(
  client: ClickHouseClient,
  table: string,
  batch: string,
  giveUpAt: number,
): Promise<void> {
  for (;;) {
    const open = (await readMutations(client, table, batch)).filter(({ is_done }) => is_done === 0)
    if (open.length === 0) return
    if (Date.now() > giveUpAt)
      throw new EbbError('rows_remain', `${open[0]?.mutation_id} of ${table} is not done`)
    await sleep(LOOK_MS)
  }
}

interface Mutation {
  mutation_id: string
  is_done: number
  /** Parts written by it, or after it, have this number or a higher one. */
  version: number
}

async function readMutations(client: ClickHouseClient, table: string, batch: string): Promise<Mutation[]> {
  return await askRows<Mutation>(
    client,
    `SELECT mutation_id, is_done, arrayMin(block_numbers.number) AS version FROM system.mutations
     WHERE database = currentDatabase() AND table = {table:String} AND NOT is_killed
       AND position(command, {batch:String}) > 0 ORDER BY mutation_id`,
    { table, batch },
  )
}

/** Notes the parts with rows of these people. @returns the number of rows. */
async function keepParts(client: ClickHouseClient, table: string, batch: string): Promise<number> {
  const parts = await askRows<{ part: string; rows: number }>(
    client,
    `SELECT _part AS part, count() AS rows FROM ${table}
     WHERE subject IN (SELECT token FROM erase_tokens WHERE batch = {batch:String}) GROUP BY part`,
    { batch },
  )
  if (parts.length === 0) return 0
  await client.insert({
    table: 'erase_parts',
    values: parts.map(({ part }) => ({ batch, table, part })),
    format: 'JSONEachRow',
    clickhouse_settings: REPEATABLE_INSERT,
  })
  return parts.reduce((sum, { rows }) => sum + rows, 0)
}

async function readEvidence(client: ClickHouseClient, table: string, batch: string): Promise<TableDeletion> {
  const mutations = await readMutations(client, table, batch)
  const before = await askRows<{ part: string }>(
    client,
    'SELECT DISTINCT part FROM erase_parts WHERE batch = {batch:String} AND table = {table:String} ORDER BY part',
    { batch, table },
  )
  const first = Math.min(...mutations.map(({ version }) => version))
  const after = await askRows<{ name: string }>(
    client,
    `SELECT name FROM system.parts WHERE database = currentDatabase() AND table = {table:String} AND active
       AND data_version >= {first:Int64} AND partition_id IN ({partitions:Array(String)}) ORDER BY name`,
    {
      table,
      first: Number.isFinite(first) ? first : 0,
      partitions: [...new Set(before.map(({ part }) => part.split('_')[0]))],
    },
  )
  return {
    table,
    mutations: mutations.map(({ mutation_id }) => mutation_id),
    partsBefore: before.map(({ part }) => part),
    partsAfter: mutations.length === 0 ? [] : after.map(({ name }) => name),
  }
}
