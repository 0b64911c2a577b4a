import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import { EbbError } from '../runtime/errors.ts'
import type { Role } from '../schemas/privacy-api.ts'
import type { Postgres } from './client.ts'

export type ApiTokenErrorCode = 'token_invalid' | 'token_unknown'

export interface ApiToken {
  tokenId: string
  name: string
  role: Role
  /** Apps that it may act for; null is all of them. */
  apps: string[] | null
  createdAt: Date
  expiresAt: Date | null
  revokedAt: Date | null
}

export interface NewApiToken {
  /** 1 to 63 of a-z, 0-9, `.`, `_` and `-`: it stands in the audit log, so it names a desk and not what a person wrote. */
  name: string
  role: Role
  apps: string[] | null
  expiresAt: Date | null
}

interface TokenRow {
  token_id: string
  token_sha256: Buffer
  name: string
  role: Role
  apps: string[] | null
  created_at: Date
  expires_at: Date | null
  revoked_at: Date | null
}

const NAME = /^[a-z][a-z0-9._-]{0,62}$/
const APP = /^[a-z][a-z0-9_-]{0,62}$/
const COLUMNS = 'token_id, token_sha256, name, role, apps, created_at, expires_at, revoked_at'

/** Tokens are random, 192 bits: a plain hash is enough to keep them out of a stolen database. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/**
 * Makes a token. It is shown here once and stored as SHA-256 only.
 * @throws EbbError `token_invalid`
 */
export async function createApiToken(
  postgres: Postgres,
  wish: NewApiToken,
): Promise<{ tokenId: string; token: string }> {
  checkWish(wish)
  const tokenId = randomUUID()
  const token = `ebb_${randomBytes(24).toString('base64url')}`
  await postgres.query(
    'create_token',
    `INSERT INTO api_tokens (token_id, token_sha256, name, role, apps, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
    [tokenId, hashToken(token), wish.name, wish.role, wish.apps, wish.expiresAt],
  )
  return { tokenId, token }
}

function checkWish({ name, role, apps }: NewApiToken): void {
  if (!NAME.test(name)) {
    throw new EbbError(
      'token_invalid',
      'a token name is 1 to 63 of a-z, 0-9, ., _ and -, beginning with a letter',
    )
  }
  if (apps !== null && (apps.length === 0 || !apps.every((app) => APP.test(app)))) {
    throw new EbbError('token_invalid', 'a token is for all apps, or names at least one')
  }
  // An app's own key sits on the app's servers: one that is stolen there must not reach other apps' people.
  if (role === 'app' && apps === null)
    throw new EbbError('token_invalid', 'a token of role app names its apps')
}

/** All tokens, newest first; the tokens themselves cannot be shown again. */
export async function listApiTokens(postgres: Postgres): Promise<ApiToken[]> {
  const rows = await postgres.query<TokenRow>(
    'list_tokens',
    `SELECT ${COLUMNS} FROM api_tokens ORDER BY created_at DESC, token_id`,
    [],
  )
  return rows.map(fromRow)
}

/** From now on the token is refused; gateways notice within seconds. @throws EbbError `token_unknown` */
export async function revokeApiToken(postgres: Postgres, tokenId: string): Promise<ApiToken> {
  const rows = await postgres.query<TokenRow>(
    'revoke_token',
    `UPDATE api_tokens SET revoked_at = COALESCE(revoked_at, now()) WHERE token_id::text = $1 RETURNING ${COLUMNS}`,
    [tokenId],
  )
  if (!rows[0]) throw new EbbError('token_unknown', 'no token of this id')
  return fromRow(rows[0])
}

/** The tokens of these hashes, each in its place; undefined where no token has it. Revoked and expired ones are found too. */
export async function findApiTokens(
  postgres: Postgres,
  hashes: readonly Buffer[],
): Promise<(ApiToken | undefined)[]> {
  const rows = await postgres.query<TokenRow>(
    'find_tokens',
    `SELECT ${COLUMNS} FROM api_tokens WHERE token_sha256 = ANY($1::bytea[])`,
    [hashes],
  )
  return hashes.map((hash) => {
    // The index compares hashes of 192 random bits, which tells a clock nothing; this comparison tells it nothing either.
    const row = rows.find((one) => timingSafeEqual(one.token_sha256, hash))
    return row && fromRow(row)
  })
}

function fromRow(row: TokenRow): ApiToken {
  return {
    tokenId: row.token_id,
    name: row.name,
    role: row.role,
    apps: row.apps,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  }
}
