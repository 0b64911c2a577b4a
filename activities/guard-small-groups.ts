import { K_PEOPLE } from '../clickhouse/day-marts.ts'

/** Groups of fewer people than this are not shown to anyone; the bound of `bi`, where it is argued. */
export const K = K_PEOPLE

/** Stands where a figure is hidden: never a 0, which would say that there was nothing. */
export const FEW = `fewer than ${K}`

export interface Guarded<T> {
  shown: T[]
  /** Rows that are left out; reports say how many, never which. */
  hidden: number
}

/**
 * Leaves out rows with fewer than K people. Where a total is printed too, what hides could be had back by subtracting the
 * shown rows from it; so the smallest that could be shown goes as well. Two small rows are not enough: their people may be
 * the same.
 */
export function guardSmallGroups<T extends { users: number }>(rows: readonly T[]): Guarded<T> {
  const large = rows.filter((row) => row.users >= K)
  if (large.length === rows.length || large.length === 0)
    return { shown: large, hidden: rows.length - large.length }
  const smallest = large.reduce((least, row) => (row.users < least.users ? row : least))
  const shown = large.filter((row) => row !== smallest)
  return { shown, hidden: rows.length - shown.length }
}

/** Guards each app by itself: people are counted by app, and so is the total that a hidden row could be taken from. */
export function guardByApp<T extends { app: string; users: number }>(rows: readonly T[]): Guarded<T> {
  const shown = new Set(
    [...new Set(rows.map((row) => row.app))].flatMap(
      (app) => guardSmallGroups(rows.filter((row) => row.app === app)).shown,
    ),
  )
  return { shown: rows.filter((row) => shown.has(row)), hidden: rows.length - shown.size }
}
