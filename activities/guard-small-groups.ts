import { K_PEOPLE } from '../clickhouse/day-marts.ts'

/** Groups of fewer people than this are not shown to anyone; the bound of `bi`, where it is argued. */
export const K = K_PEOPLE

export interface Guarded<T> {
  shown: T[]
  /** Rows that are left out; reports say how many, never which. */
  hidden: number
}

/**
 * Leaves out rows with fewer than K people. Where a total is printed too, a hidden row could be had back by subtracting
 * the shown ones from it; so the smallest shown rows go as well until K people or more hide together.
 */
export function guardSmallGroups<T extends { users: number }>(rows: readonly T[]): Guarded<T> {
  let shown = rows.filter((row) => row.users >= K)
  let hiddenUsers = rows.reduce((sum, row) => sum + (row.users < K ? row.users : 0), 0)
  while (hiddenUsers > 0 && hiddenUsers < K && shown.length > 0) {
    const smallest = shown.reduce((least, row) => (row.users < least.users ? row : least))
    shown = shown.filter((row) => row !== smallest)
    hiddenUsers += smallest.users
  }
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
