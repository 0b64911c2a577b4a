import { EbbError } from '../runtime/errors.ts'
import { faultPoint } from '../runtime/fault.ts'
import { APP_SHARD, appContext, subjectContext } from './key-shard.ts'
import type { KeyringSession } from './keyring-session.ts'
import { seal, unseal } from './seal.ts'

/** Rows that are sealed by shard keys: secrets of subjects, and look-up keys of apps in the shard of their own. */
const TABLES = {
  subjects: { table: 'subject_secrets', id: 'subject_id', type: 'uuid', contextOf: subjectContext },
  apps: { table: 'app_keys', id: 'app', type: 'text', contextOf: appContext },
} as const

const CHUNK = 2_000

export interface RewrapRows {
  shard: number
  target: number
  /** Keys of all versions of the shard. */
  keys: ReadonlyMap<number, Buffer>
  victims: string[]
}

interface SealedRow {
  id: string
  key_version: number
  wrapped: Buffer
}

/**
 * Seals all that older versions of a shard seal, but the victims, under the target version, in chunks.
 * @returns how many. @throws EbbError `key_unwrap_failed` on a row that its version's key does not open
 */
export async function rewrapRows(session: KeyringSession, wish: RewrapRows): Promise<number> {
  const { table, id, type, contextOf } = wish.shard === APP_SHARD ? TABLES.apps : TABLES.subjects
  const sealAnew = (row: SealedRow): Buffer => {
    try {
      const context = contextOf(row.id)
      return seal(
        wish.keys.get(wish.target)!,
        unseal(wish.keys.get(row.key_version)!, row.wrapped, context),
        context,
      )
    } catch (cause) {
      const version = `${wish.shard}/${row.key_version}`
      throw new EbbError('key_unwrap_failed', `a row of shard ${version} does not unwrap`, { cause })
    }
  }
  for (let rewrapped = 0; ; ) {
    const rows = await session.query<SealedRow>(
      `old_rows_${table}`,
      `SELECT ${id} AS id, key_version, wrapped FROM ${table}
       WHERE shard = $1 AND key_version < $2 AND NOT ${id} = ANY($3::${type}[]) LIMIT ${CHUNK}`,
      [wish.shard, wish.target, wish.victims],
    )
    if (rows.length === 0) return rewrapped
    await session.query(
      `rewrap_${table}`,
      `UPDATE ${table} AS kept SET key_version = $1, wrapped = anew.wrapped
       FROM unnest($2::${type}[], $3::integer[], $4::bytea[]) AS anew (id, key_version, wrapped)
       WHERE kept.${id} = anew.id AND kept.key_version = anew.key_version`,
      [wish.target, rows.map((row) => row.id), rows.map((row) => row.key_version), rows.map(sealAnew)],
    )
    rewrapped += rows.length
    faultPoint('keyring.after-chunk')
  }
}
