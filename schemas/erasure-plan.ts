import type { DataPlace } from './data-place.ts'

/** How a place's data are reached for one person; every other method needs no eraser. */
const ERASED_BY_PERSON: ReadonlySet<DataPlace['erasure']> = new Set(['delete rows by subject', 'delete row'])

/** Store of a receipt that a place belongs to: one eraser sees to all tables of an engine, and to one bucket. */
export function storeOf(place: Pick<DataPlace, 'store' | 'object'>): string {
  if (place.store === 'clickhouse') return 'clickhouse/events'
  if (place.store === 'postgres') return 'postgres/vault'
  return `${place.store}/${place.object}`
}

/** Stores from which people are erased one by one, by name, as the data map lists them. */
export function planStores(places: readonly DataPlace[]): string[] {
  return [...new Set(places.filter((place) => ERASED_BY_PERSON.has(place.erasure)).map(storeOf))].sort()
}

/** Tables of Postgres that hold a person's rows, with the columns that hold subject ids. */
export function vaultTables(places: readonly DataPlace[]): { table: string; columns: string[] }[] {
  const tables = new Map<string, string[]>()
  for (const { store, object, column, erasure } of places) {
    if (store !== 'postgres' || erasure !== 'delete row') continue
    const columns = tables.get(object) ?? []
    if (/(^|_)subject(_id)?$/.test(column)) columns.push(column)
    tables.set(object, columns)
  }
  return [...tables].map(([table, columns]) => ({ table, columns }))
}
