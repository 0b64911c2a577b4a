import { ClickHouseError } from './map-error.ts'

/**
 * The engine counts no quotas here, so the server does: at most `most` statements a user in a window of a minute.
 * @returns a function to call for each statement. @throws ClickHouseError 201 from it, when there were too many.
 */
export function countQueries(
  most: number,
  now: () => number = () => performance.now(),
): (user: string) => void {
  const windows = new Map<string, { since: number; count: number }>()
  return (user) => {
    let window = windows.get(user)
    if (window === undefined || now() - window.since > 60_000) {
      window = { since: now(), count: 0 }
      windows.set(user, window)
    }
    window.count += 1
    if (window.count > most) {
      throw new ClickHouseError(
        201,
        'QUOTA_EXCEEDED',
        `Quota for user \`${user}\` for 60s has been exceeded: queries = ${window.count}/${most}`,
      )
    }
  }
}
