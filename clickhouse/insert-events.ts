import { Readable } from 'node:stream'
import { ClickHouseError } from '@clickhouse/client'
import { EbbError } from '../runtime/errors.ts'
import { ROW_LAYOUTS } from '../schemas/event-row.ts'
import type { ClickHouseClient } from './client.ts'

export interface EventsInsert {
  /** Concatenated RowBinary rows, in `ROW_COLUMNS` order: the values of the cut's records, untouched. */
  rows: Buffer[] | Buffer
  /** `ROW_FORMAT` of all these rows; a cut with two formats is two inserts with tokens of their own. */
  format: number
  /** Kafka partition and end offset of the cut, stored in every row, so that a restore knows where to rewind; of a joint cut its lane and the sum of ends. */
  partition: number
  cutEnd: bigint
  /** Deduplication token, of the cut or the joint cut: its last field, if it has a colon, is stored in `cut`. */
  token: string
  /** Milliseconds since 1970 after which the server must refuse this insert (a zombie's). */
  deadlineMs: number
}

export type InsertErrorCode = 'unknown_format' | 'deadline_passed' | 'bad_rows' | 'clickhouse_failed'

/**
 * What makes an insert exactly once and one block, said with each insert because servers' defaults differ by version
 * (needs ClickHouse 26.2 or newer). `deduplicate_insert` overrides `insert_deduplicate`. One thread and high squashing
 * limits: a cut split into two blocks could be repeated in half.
 */
export const INSERT_ONCE_SETTINGS = {
  async_insert: 0,
  wait_end_of_query: 1,
  deduplicate_insert: 'enable',
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  max_threads: 1,
  max_insert_threads: '1',
  parallel_view_processing: 0,
  // Bad clocks may spread a cut over many months: slow, but no reason to refuse it.
  max_partitions_per_insert_block: '0',
  max_insert_block_size: '1048576',
  min_insert_block_size_rows: '1048576',
  min_insert_block_size_bytes: '1073741824',
  input_format_parallel_parsing: 0,
  // The bloom filter on `subject` is built when parts merge: a fifth of the raw table's insert cost less.
  materialize_skip_indexes_on_insert: 0,
  // An insert's cost hardly depends on its rows: these two are a seventh of it. The views' SELECTs are simple, their groups have no doubles.
  // A view of an operator's own on `events_raw` runs under the old analyzer, too.
  enable_analyzer: 0,
  optimize_on_insert: 0,
} as const

/**
 * The server could not read the rows: another try changes nothing. Too many parts (252) is not among them: it passes, and
 * who took it for bad rows would throw good ones away.
 */
const BAD_ROWS = new Set(['6', '25', '26', '27', '32', '33', '53', '69', '117', '128', '131', '432'])
const DEADLINE = '159'

/**
 * Inserts one cut, or the joint cut of several partitions, as one block, once: a repeat with the same token is dropped in the raw table and in every view.
 * The token ends in partition and cut end, which the table's defaults read (before them `cut`), so nothing parses the body but
 * the server.
 * @throws EbbError `unknown_format`, `deadline_passed`, `bad_rows` (the body is not what its format says: bisect),
 *   `clickhouse_failed` (retry the same cut).
 */
export async function insertEvents(client: ClickHouseClient, insert: EventsInsert): Promise<void> {
  const layout = ROW_LAYOUTS[insert.format]
  if (layout === undefined) throw new EbbError('unknown_format', `row format ${insert.format}`)
  const columns = layout.map(([name]) => name).join(', ')
  const body = Buffer.isBuffer(insert.rows) ? insert.rows : Buffer.concat(insert.rows)
  if (body.length === 0) return
  // The last look before bytes leave: a real server has no deadline, the development one looks again before it inserts.
  if (Date.now() >= insert.deadlineMs) throw new EbbError('deadline_passed', 'the cut is too old to insert')
  try {
    const answer = await client.exec({
      query: `INSERT INTO events_raw (${columns}) FORMAT RowBinary`,
      values: Readable.from([body], { objectMode: false }),
      clickhouse_settings: {
        ...INSERT_ONCE_SETTINGS,
        insert_deduplication_token: `${insert.token}/${insert.partition}/${insert.cutEnd}`,
      },
      http_headers: { 'X-Ebb-Insert-Deadline': String(insert.deadlineMs) },
    })
    // An answer that breaks off is not an acknowledgement.
    for await (const _ of answer.stream);
  } catch (error) {
    throw toInsertError(error)
  }
}

function toInsertError(error: unknown): EbbError {
  const code = error instanceof ClickHouseError ? error.code : ''
  // The server's message may quote values of the rows: only its number is passed on.
  if (code === DEADLINE) return new EbbError('deadline_passed', 'the server refused a late insert')
  if (BAD_ROWS.has(code)) return new EbbError('bad_rows', `ClickHouse cannot read the rows (code ${code})`)
  const reason = code === '' ? connectionCode(error) : `code ${code}`
  return new EbbError('clickhouse_failed', `ClickHouse did not take the rows (${reason})`)
}

function connectionCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'no answer'
}
