import { createHash, timingSafeEqual } from 'node:crypto'
import { ClickHouseError } from './map-error.ts'

/** Names of the databases that restricted users may read: ClickHouse's grants know exact names and prefixes. */
export const OPEN_DATABASE = /^(bi|bi_\w+)$/

/** Limits of a restricted user, per statement; the profile in users.xml repeats them. */
export const LIMITS = {
  max_execution_time: 30,
  max_rows_to_read: 500_000_000,
  max_result_rows: 1_000_000,
  max_result_bytes: 512 * 1024 * 1024,
  max_memory_usage: 600_000_000,
} as const

/** Statements a restricted user may start in a minute; the engine does not count here, so the server does. */
export const QUERIES_PER_MINUTE = 3000

export interface User {
  name: string
  restricted: boolean
  passwordSha256: string
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

export function listUsers(biPassword: string): User[] {
  return [
    { name: 'default', restricted: false, passwordSha256: sha256('') },
    { name: 'bi', restricted: true, passwordSha256: sha256(biPassword) },
  ]
}

/** @throws ClickHouseError 516, the same for an unknown name and a wrong password. */
export function authenticate(users: User[], name: string, password: string): User {
  const user = users.find((candidate) => candidate.name === name)
  const given = Buffer.from(sha256(password))
  const right = timingSafeEqual(given, Buffer.from(user?.passwordSha256 ?? sha256(`not ${password}`)))
  if (user !== undefined && right) return user
  throw new ClickHouseError(
    516,
    'AUTHENTICATION_FAILED',
    `${name.slice(0, 64)}: Authentication failed: password is incorrect, or there is no user with such name.`,
  )
}
