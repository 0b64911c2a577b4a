import { z } from 'zod'

/** What a column says about a person. */
export const DataCategory = z.enum([
  'pseudonym',
  'pseudonymous link',
  'behaviour',
  'free text of the app',
  'money',
  'time',
  'aggregate state',
  'aggregate count',
  'sealed field',
  'wrapped key',
  'app setting',
  'bookkeeping',
])
export type DataCategory = z.infer<typeof DataCategory>

/** How one person's data leaves the place. */
export const ErasureMethod = z.enum([
  'delete rows by subject',
  'derive again from the remaining rows',
  'delete row',
  'destroy the wrapping key',
  'destroy the request key',
  'expires by itself',
  'holds no person',
])
export type ErasureMethod = z.infer<typeof ErasureMethod>

export const DataPlace = z.object({
  store: z.enum(['clickhouse', 'postgres', 'keyring', 'kafka', 's3']),
  /** Table, topic or bucket; topics without the configured prefix. */
  object: z.string(),
  /** Column; `key`, `value` or header of a topic; `*` for the objects of a bucket. */
  column: z.string(),
  category: DataCategory,
  purpose: z.string(),
  retention: z.string(),
  erasure: ErasureMethod,
})
export type DataPlace = z.infer<typeof DataPlace>

/** The columns of one table or topic, which mostly share purpose, retention and erasure. */
export function describePlaces(
  about: Pick<DataPlace, 'store' | 'object' | 'purpose' | 'retention' | 'erasure'>,
  columns: Partial<Record<DataCategory, string>>,
): DataPlace[] {
  return Object.entries(columns).flatMap(([category, names]) =>
    names.split(' ').map((column) => ({ ...about, column, category: category as DataCategory })),
  )
}
