import { askRows, OUTDATED_PARTS } from './await-parts-gone.ts'
import type { ClickHouseClient } from './client.ts'
import { findFrozenParts } from './drop-set-aside-parts.ts'
import { PERSONAL_TABLES, SUBJECT_TABLES } from './subject-tables.ts'

/** What an erasure has left behind in ClickHouse: kind and place, never a person. */
export interface ErasureResidue {
  kind:
    | 'rows'
    | 'unfinished mutation'
    | 'inactive part'
    | 'detached part'
    | 'frozen part'
    | 'token in the helper table'
    | 'token in a mutation'
    | 'helper of a recount'
    | 'days not counted again'
  /** Table; with a part's or mutation's name where there is one. */
  where: string
}

/**
 * Looks for whatever may still speak of erased people (tokens, 16 bytes each) once their batch is done: rows, mutations under way,
 * parts from before a deletion that are still on the disk, parts set aside, helper tables, aggregates not counted again.
 * Operators and tests ask this; the verifier has queries of its own.
 */
export async function findErasureResidues(
  client: ClickHouseClient,
  tokens: readonly Buffer[],
): Promise<ErasureResidue[]> {
  const found = await Promise.all([
    findRows(client, tokens),
    findInSystem(client),
    findInHelpers(client),
    findFrozen(client),
    findInMutations(client, tokens),
  ])
  return found.flat()
}

async function findRows(client: ClickHouseClient, tokens: readonly Buffer[]): Promise<ErasureResidue[]> {
  if (tokens.length === 0) return []
  const counts = SUBJECT_TABLES.map(
    (table) =>
      `SELECT '${table}' AS held, count() AS n FROM ${table} WHERE subject IN (SELECT unhex(arrayJoin({tokens:Array(String)})))`,
  )
  const rows = await askRows<{ held: string }>(
    client,
    `SELECT held FROM (${counts.join(' UNION ALL ')}) WHERE n > 0`,
    { tokens: tokens.map((token) => token.toString('hex')) },
  )
  return rows.map(({ held }) => ({ kind: 'rows', where: held }))
}

async function findInSystem(client: ClickHouseClient): Promise<ErasureResidue[]> {
  return await askRows<ErasureResidue>(
    client,
    `SELECT 'unfinished mutation' AS kind, concat(table, '/', mutation_id) AS where FROM system.mutations
       WHERE database = currentDatabase() AND table IN ({tables:Array(String)}) AND NOT is_done AND NOT is_killed
     UNION ALL
     SELECT 'inactive part', concat(table, '/', name) FROM (${OUTDATED_PARTS})
     UNION ALL
     SELECT 'detached part', concat(table, '/', name) FROM system.detached_parts
       WHERE database = currentDatabase() AND table IN ({tables:Array(String)})`,
    { tables: PERSONAL_TABLES },
  )
}

async function findInHelpers(client: ClickHouseClient): Promise<ErasureResidue[]> {
  return await askRows<ErasureResidue>(
    client,
    `SELECT 'token in the helper table' AS kind, concat(table, '/', name) AS where FROM system.parts
       WHERE database = currentDatabase() AND table = 'erase_tokens' AND rows > 0
     UNION ALL
     SELECT 'helper of a recount', name FROM system.tables
       WHERE database = currentDatabase() AND startsWith(name, 'rederive_')
     UNION ALL
     SELECT DISTINCT 'days not counted again', concat('erase_days/', batch) FROM erase_days`,
  )
}

async function findFrozen(client: ClickHouseClient): Promise<ErasureResidue[]> {
  const frozen = await findFrozenParts(client, PERSONAL_TABLES)
  return frozen.map(({ table, name }) => ({ kind: 'frozen part', where: `${table}/${name}` }))
}

async function findInMutations(
  client: ClickHouseClient,
  tokens: readonly Buffer[],
): Promise<ErasureResidue[]> {
  const mutations = await askRows<{ where: string; command: string }>(
    client,
    `SELECT concat(table, '/', mutation_id) AS where, command FROM system.mutations WHERE database = currentDatabase()`,
  )
  const forms = tokens.flatMap((token) => [token.toString('hex'), token.toString('base64')])
  return mutations
    .filter(({ command }) =>
      forms.some((form) => command.includes(form) || command.toLowerCase().includes(form)),
    )
    .map(({ where }) => ({ kind: 'token in a mutation', where }))
}
