import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { AppRules } from '../gate/admit-context.ts'
import { EbbError } from '../runtime/errors.ts'
import type { Postgres } from './client.ts'

export type AppErrorCode = 'app_name_invalid' | 'app_exists' | 'app_rules_invalid'

/** What an app may choose; kept as JSON in `apps.rules`. */
export const AppChoices = z.strictObject({
  maxAgeDays: z.number().int().min(1).max(400).optional(),
  ip: z.enum(['drop', 'truncate']).optional(),
})
export type AppChoices = z.infer<typeof AppChoices>

export interface NewApp {
  /** 1 to 63 of a-z, 0-9, `_` and `-`, beginning with a letter. */
  app: string
  rules?: AppChoices
  /** For tests and fixed installations; else a random one of 192 bits is made. */
  writeKey?: string
}

/** Write keys are random, 192 bits: a plain hash is enough to keep them out of a stolen database. */
export function hashWriteKey(writeKey: string): Buffer {
  return createHash('sha256').update(writeKey).digest()
}

/**
 * Registers an app. The write key is shown here once and stored as SHA-256 only.
 * @throws EbbError `app_name_invalid`, `app_rules_invalid`, `app_exists` (the name, or the given key, is taken)
 */
export async function createApp(
  postgres: Postgres,
  wish: NewApp,
): Promise<{ app: string; writeKey: string }> {
  if (!/^[a-z][a-z0-9_-]{0,62}$/.test(wish.app)) {
    throw new EbbError(
      'app_name_invalid',
      'an app name is 1 to 63 of a-z, 0-9, _ and -, beginning with a letter',
    )
  }
  const rules = AppChoices.safeParse(wish.rules ?? {})
  if (!rules.success) throw new EbbError('app_rules_invalid', z.prettifyError(rules.error))
  const writeKey = wish.writeKey ?? `wk_${randomBytes(24).toString('base64url')}`
  const made = await postgres.query(
    'create_app',
    `INSERT INTO apps (app, write_key_sha256, rules) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING app`,
    [wish.app, hashWriteKey(writeKey), JSON.stringify(rules.data)],
  )
  if (made.length === 0)
    throw new EbbError('app_exists', `app ${wish.app}: the name or the write key is taken`)
  return { app: wish.app, writeKey }
}

export interface AppEntry {
  app: string
  rules: AppChoices
  createdAt: Date
}

/** All apps by name; write keys cannot be shown again. */
export async function listApps(postgres: Postgres): Promise<AppEntry[]> {
  const rows = await postgres.query<{ app: string; rules: AppChoices; created_at: Date }>(
    'list_apps',
    'SELECT app, rules, created_at FROM apps ORDER BY app',
    [],
  )
  return rows.map((row) => ({ app: row.app, rules: row.rules, createdAt: row.created_at }))
}

export interface AppByKey {
  sha256: Buffer
  app: string
  /** undefined: a newer version has written rules that this one does not know, and to leave one out could store too much. */
  rules: AppRules | undefined
}

/** The apps of these write keys (as SHA-256); a key that no app has is missing from the answer. */
export async function findAppsByWriteKey(postgres: Postgres, hashes: Buffer[]): Promise<AppByKey[]> {
  const rows = await postgres.query<{ write_key_sha256: Buffer; app: string; rules: unknown }>(
    'find_apps',
    'SELECT write_key_sha256, app, rules FROM apps WHERE write_key_sha256 = ANY($1::bytea[])',
    [hashes],
  )
  return rows.map((row) => {
    const choices = AppChoices.safeParse(row.rules)
    const rules = choices.success ? { app: row.app, ...choices.data } : undefined
    return { sha256: row.write_key_sha256, app: row.app, rules }
  })
}
