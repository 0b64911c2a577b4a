import { ClickHouseError } from './map-error.ts'
import type { QueryRequest } from './parse-request.ts'
import type { Restriction } from './users.ts'

/** Settings that change how a result looks, not what it may read or cost. */
const HARMLESS =
  /^((output_format|format|date_time|bool|low_cardinality|input_format|http|send_progress|network)_\w+|cast_\w+|(allow_experimental|enable)_(json|object|variant|dynamic|time)\w*_type|extremes|limit|offset|max_block_size|join_use_nulls|session_timezone|enable_http_compression|joined_subquery_requires_alias|aggregate_functions_null_for_empty|group_by_use_nulls|final|log_queries|connect_timeout\w*|receive_timeout|send_timeout|readonly|prefer_column_name_to_alias|union_default_mode|result_overflow_mode|timeout_overflow_mode|wait_for_async_insert|async_insert|select_sequential_consistency|use_query_cache|enable_analyzer|allow_experimental_analyzer)$/

/** Among them, those that name files or hosts: `output_format_schema` would write a file on the server. */
const NOT_HARMLESS = /schema|template|registry|url|path|proxy|^http_(make_head|response)|^network_/

/** Settings that a client library sends along and that change nothing here. */
const IGNORED =
  /^(readonly|http_\w+|send_progress\w*|connect_timeout\w*|receive_timeout|send_timeout|wait_for_async_insert|async_insert|log_queries|result_overflow_mode|timeout_overflow_mode|use_query_cache|input_format_\w+)$/

/**
 * What of a restricted user's settings reaches the engine, with the limits set last. A limit may be lowered, never raised.
 * @throws ClickHouseError 164 for a setting that is not open, 452 for a limit above the profile's.
 */
export function restrictSettings(
  request: Pick<QueryRequest, 'settings'>,
  restriction: Restriction,
): [string, string][] {
  const limits = new Map<string, number>(Object.entries(restriction.limits))
  const settings: [string, string][] = []
  for (const [name, value] of request.settings) {
    const limit = limits.get(name)
    if (limit !== undefined) {
      const wanted = Number(value)
      // 0 means "no limit" to ClickHouse.
      if (!(wanted > 0 && wanted <= limit)) {
        throw new ClickHouseError(
          452,
          'SETTING_CONSTRAINT_VIOLATION',
          `Setting ${name} should be between 1 and ${limit}`,
        )
      }
      limits.set(name, wanted)
    } else if (restriction.settings.has(name)) {
      settings.push([name, value])
    } else if (!HARMLESS.test(name) || NOT_HARMLESS.test(name)) {
      throw new ClickHouseError(
        164,
        'READONLY',
        `Cannot modify '${name.slice(0, 60)}' setting in readonly mode`,
      )
    } else if (!IGNORED.test(name)) {
      settings.push([name, value])
    }
  }
  for (const [name, value] of limits) settings.push([name, String(value)])
  settings.push(['timeout_overflow_mode', 'throw'], ['result_overflow_mode', 'throw'])
  settings.push(['readonly', String(restriction.readonly)])
  return settings
}
