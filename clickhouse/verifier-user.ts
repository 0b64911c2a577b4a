/** The verifier's own user of ClickHouse: sql/users/verifier.sql on a real server, users.xml on the development one. */
export const VERIFIER_USER = 'ebb_verifier'

/** The server's own tables that the verifier asks. A unit holds the SQL to this list. */
export const VERIFIER_SYSTEM_TABLES = [
  'columns',
  'detached_parts',
  'disks',
  'mutations',
  'parts',
  'tables',
] as const

/**
 * Password of that user in `EBB_VERIFIER_CLICKHOUSE_URL`; '' when the URL names somebody else: whoever made another user
 * keeps it.
 */
export function verifierPassword(url: string): string {
  const { username, password } = new URL(url)
  return username === VERIFIER_USER ? decodeURIComponent(password) : ''
}
