import { createHash, timingSafeEqual } from 'node:crypto'
import { VERIFIER_SYSTEM_TABLES, VERIFIER_USER } from '../../clickhouse/verifier-user.ts'
import { ClickHouseError } from './map-error.ts'

/** What a restricted user may. The tables themselves are ClickHouse's grants; the rest is what those do not cover. */
export interface Restriction {
  /** In ClickHouse's words, without the grantee. */
  grants: readonly string[]
  /** Whether such a user may know of a database and name it. */
  opens(database: string): boolean
  /** Tables of `system` beside those that a real server shows to everyone. */
  systemTables: ReadonlySet<string>
  /** Collections that `s3()` may name; undefined: no `s3()`. */
  collections: RegExp | undefined
  /** Settings that it may change beside those of a result's look. */
  settings: ReadonlySet<string>
  /** Per statement; the profile in users.xml repeats them. */
  limits: Readonly<Record<string, number>>
  /** 1, or 2 where 1 would refuse a grant: `s3()` counts as a temporary table. */
  readonly: 1 | 2
  /** Statements in a minute; the engine does not count here, so the server does. */
  queriesPerMinute: number
  /** Statements that run side by side, so that it cannot fill the server. */
  atOnce: number
}

const ANALYST: Restriction = {
  // A grant matches a prefix, so every stage's own analysts' database is covered, and nothing else.
  grants: ['GRANT SELECT ON bi.*', 'GRANT SELECT ON bi_*.*'],
  opens: (database) => /^(bi|bi_\w+)$/.test(database),
  systemTables: new Set(),
  collections: undefined,
  settings: new Set(),
  limits: {
    max_execution_time: 30,
    max_rows_to_read: 500_000_000,
    max_result_rows: 1_000_000,
    max_result_bytes: 512 * 1024 * 1024,
    max_memory_usage: 600_000_000,
  },
  readonly: 1,
  queriesPerMinute: 3000,
  atOnce: 8,
}

/** Databases that are the server's or the analysts': all others here are a stage's of Ebb, with names that only the stage knows. */
const NOT_OF_EBB = /^(system|information_schema|ebb_restricted|bi|bi_\w*)$/i

const VERIFIER: Restriction = {
  grants: [
    'GRANT SELECT ON *.*',
    ...['system.*', 'ebb_restricted.*', 'bi.*', 'bi_*.*'].map((tables) => `REVOKE SELECT ON ${tables}`),
    ...VERIFIER_SYSTEM_TABLES.map((table) => `GRANT SELECT ON system.${table}`),
    ...['READ ON S3', 'CREATE TEMPORARY TABLE ON *.*', 'NAMED COLLECTION ON ebb_s3_*'].map(
      (right) => `GRANT ${right}`,
    ),
  ],
  opens: (database) => !NOT_OF_EBB.test(database),
  systemTables: new Set(VERIFIER_SYSTEM_TABLES),
  collections: /^ebb_s3_\w*archive$/,
  settings: new Set([
    'apply_deleted_mask',
    'apply_mutations_on_fly',
    'apply_patch_parts',
    'use_hive_partitioning',
  ]),
  // It counts in all that there is: a bound on rows would bound what can be certified.
  limits: { max_execution_time: 600, max_memory_usage: 800_000_000 },
  readonly: 2,
  queriesPerMinute: 30_000,
  atOnce: 4,
}

export interface User {
  name: string
  /** undefined: may do anything. */
  restriction: Restriction | undefined
  passwordSha256: string
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** @param passwords of the restricted users; '' leaves one out. */
export function listUsers(passwords: { bi: string; verifier: string }): User[] {
  const restricted: [string, Restriction, string][] = [
    ['bi', ANALYST, passwords.bi],
    [VERIFIER_USER, VERIFIER, passwords.verifier],
  ]
  return [
    { name: 'default', restriction: undefined, passwordSha256: sha256('') },
    ...restricted
      .filter(([, , password]) => password !== '')
      .map(([name, restriction, password]) => ({ name, restriction, passwordSha256: sha256(password) })),
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
