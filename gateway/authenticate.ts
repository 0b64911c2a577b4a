import { type ApiToken, findApiTokens, hashToken } from '../postgres/api-tokens.ts'
import { batchMisses } from '../postgres/batch-misses.ts'
import type { Postgres } from '../postgres/client.ts'
import { createRecentMap } from '../postgres/recent-map.ts'
import { EbbError } from '../runtime/errors.ts'
import { gatewayError } from './error.ts'

export interface TokenDirectory {
  /**
   * The token behind an Authorization header: also one that is over, since the audit names it.
   * @returns undefined when no token has this secret. @throws EbbError `tokens_unavailable`
   */
  find(secret: string): Promise<ApiToken | undefined>
}

interface Entry {
  token: ApiToken | undefined
  /** Milliseconds since 1970. */
  checkedAt: number
}

/** `ebb_` and 24 bytes in base64url. */
const SECRET = /^ebb_[A-Za-z0-9_-]{32}$/

/**
 * Tokens by the SHA-256 of their secret, remembered for a few seconds: a revoked one ends within `freshMs`. Unknown ones
 * are remembered too, so that a flood of one wrong token asks Postgres once.
 */
export function createTokenDirectory(deps: {
  postgres: Postgres
  /** Default 5,000 ms. */
  freshMs?: number
  now?: () => number
}): TokenDirectory {
  const freshMs = deps.freshMs ?? 5_000
  const now = deps.now ?? Date.now
  const seen = createRecentMap<Entry>(10_000)
  const ask = batchMisses<Buffer, Entry>(
    async (hashes) => {
      const found = await findApiTokens(deps.postgres, hashes)
      return found.map((token) => ({ token, checkedAt: now() }))
    },
    { windowMs: 1, batchSize: 200, concurrency: 2, pendingLimit: 2_000 },
  )
  return {
    async find(secret) {
      if (!SECRET.test(secret)) return undefined
      const hash = hashToken(secret)
      const key = hash.toString('base64')
      const known = seen.get(key)
      if (known && now() - known.checkedAt < freshMs) return known.token
      const entry = await ask(key, hash).catch((cause) => {
        throw gatewayError('tokens_unavailable', cause instanceof EbbError ? cause : undefined)
      })
      seen.set(key, entry)
      return entry.token
    },
  }
}

/** The secret of a Bearer header; '' where there is none. */
export function bearerSecret(header: string | undefined): string {
  return /^bearer +([\x21-\x7e]{1,200})$/i.exec(header ?? '')?.[1] ?? ''
}

export function isOver(token: ApiToken, nowMs: number): boolean {
  return token.revokedAt !== null || (token.expiresAt !== null && token.expiresAt.getTime() <= nowMs)
}

/** How the audit log and a request name the holder of a token. */
export function actorOf(token: ApiToken): string {
  return `token:${token.tokenId}:${token.name}`
}

/** May this token act for the app? */
export function coversApp(token: ApiToken, app: string): boolean {
  return token.apps === null || token.apps.includes(app)
}
