import { Readable } from 'node:stream'
import { EbbError } from '../runtime/errors.ts'
import { isLeftOut } from '../runtime/left-out-purge.ts'
import { askRows } from './await-parts-gone.ts'
import type { ClickHouseClient } from './client.ts'

const TOKEN_BYTES = 16

/** Written again without a word: a repeat must not be taken for a known block. */
export const REPEATABLE_INSERT = {
  async_insert: 0,
  wait_end_of_query: 1,
  insert_deduplicate: 0,
  deduplicate_insert: 'disable',
} as const

/** Partition changes wait for every replica. */
export const EVERY_REPLICA = { alter_sync: '2' } as const

/** A UUID, with a suffix where the batch is not a shared one. */
const BATCH = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?<suffix>-[a-z]{1,20})?$/

/** @throws EbbError `batch_unknown` unless the id is a UUID, with a suffix perhaps; it is then safe inside a statement. */
export function checkBatch(batch: string): string {
  if (!BATCH.test(batch)) throw new EbbError('batch_unknown', 'a batch is named by a UUID')
  return batch
}

/** A batch of requests that wait together; one is under way at a time. */
export function isShared(batch: string): boolean {
  const match = BATCH.exec(batch)
  return match !== null && match.groups?.suffix === undefined
}

/**
 * Puts the tokens (16 bytes each) of a batch where deletions read them. As a binary body: no statement holds one. May be
 * repeated; a token that is there twice does no harm. @throws EbbError `batch_unknown`
 */
export async function putTokens(
  client: ClickHouseClient,
  batch: string,
  tokens: readonly Buffer[],
): Promise<void> {
  checkBatch(batch)
  if (tokens.length === 0) return
  const name = Buffer.from(batch)
  const rows = tokens.map((token) => {
    if (token.length !== TOKEN_BYTES) throw new EbbError('bad_rows', 'a token has 16 bytes')
    return Buffer.concat([Buffer.of(name.length), name, token])
  })
  const answer = await client.exec({
    query: 'INSERT INTO erase_tokens (batch, token) FORMAT RowBinary',
    values: Readable.from([Buffer.concat(rows)], { objectMode: false }),
    clickhouse_settings: REPEATABLE_INSERT,
  })
  for await (const _ of answer.stream);
}

export type BatchTable = 'erase_tokens' | 'erase_days' | 'erase_parts'

/** Drops what a table keeps of a batch. Its parts leave the disk as all inactive ones do: see await-parts-gone.ts. */
export async function dropBatch(client: ClickHouseClient, table: BatchTable, batch: string): Promise<void> {
  await client.command({
    query: `ALTER TABLE ${table} DROP PARTITION '${checkBatch(batch)}'`,
    clickhouse_settings: EVERY_REPLICA,
  })
}

/**
 * Ids of the shared batches whose tokens stand in the helper table. One is under way at a time, so the others were given up. Batches
 * with a suffix are not among them: a restore has its own, at the same time.
 */
export async function readSharedBatches(client: ClickHouseClient): Promise<string[]> {
  const rows = await askRows<{ batch: string }>(client, 'SELECT DISTINCT batch FROM erase_tokens')
  return rows.map(({ batch }) => batch).filter(isShared)
}

/**
 * That the batch's tokens are all there still: where they are not, nothing is found of anybody, and nothing was deleted.
 * @throws EbbError `rows_remain`
 */
export async function requireTokens(
  client: ClickHouseClient,
  batch: string,
  tokens: readonly Buffer[],
): Promise<void> {
  const [row] = await askRows<{ n: string }>(
    client,
    'SELECT uniqExact(token) AS n FROM erase_tokens WHERE batch = {batch:String}',
    { batch },
  )
  const expected = new Set(tokens.map((token) => token.toString('hex'))).size
  if (Number(row?.n) !== expected)
    throw new EbbError('rows_remain', 'tokens of the batch are gone: it is not known what was deleted')
}

/** The tokens of these batches leave the helper table, physically. */
export async function dropTokens(client: ClickHouseClient, batches: readonly string[]): Promise<void> {
  if (isLeftOut('batch-tokens')) return
  for (const batch of batches) await dropBatch(client, 'erase_tokens', batch)
}
