import { DATA_MAP } from '../schemas/data-map.ts'
import type { ErasureMethod } from '../schemas/data-place.ts'

/** Tables of the data map that are erased in this way, in its order. */
export function tablesErasedBy(method: ErasureMethod): string[] {
  const places = DATA_MAP.filter((place) => place.store === 'clickhouse' && place.erasure === method)
  return [...new Set(places.map((place) => place.object))]
}

/** Tables with one row or more of a person's own, found by their column `subject`. */
export const SUBJECT_TABLES: readonly string[] = tablesErasedBy('delete rows by subject')

/** Tables that hold anything of people, also summed up, and the helper table with their tokens. */
export const PERSONAL_TABLES: readonly string[] = [
  ...SUBJECT_TABLES,
  ...tablesErasedBy('derive again from the remaining rows'),
  'erase_tokens',
]
