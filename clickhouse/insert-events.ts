import { EbbError } from '../runtime/errors.ts'
import type { ClickHouseClient } from './client.ts'

export interface EventsInsert {
  /** Concatenated RowBinary rows, in `ROW_COLUMNS` order: the values of the cut's records, untouched. */
  rows: Buffer[] | Buffer
  /** `ROW_FORMAT` of all these rows; a cut with two formats is two inserts with tokens of their own. */
  format: number
  /** Kafka partition and end offset of the cut: stored in every row, so that a restore knows where to rewind. */
  partition: number
  cutEnd: bigint
  /** Deduplication token: cluster id, topic epoch, partition, start, end (and part of a bisected cut). */
  token: string
  /** Milliseconds since 1970 after which the server must refuse this insert (a zombie's). */
  deadlineMs: number
}

/**
 * Inserts one cut as one block, once: a repeat with the same token is dropped in the raw table and in every view.
 * @throws EbbError `unknown_format`, `deadline_passed`, `bad_rows` (the body is not what its format says: bisect),
 *   `clickhouse_failed` (retry the same cut).
 */
export async function insertEvents(_client: ClickHouseClient, _insert: EventsInsert): Promise<void> {
  throw new EbbError('clickhouse_failed', 'not there yet')
}
