import { hash } from 'node:crypto'
import type { AppRules } from '../gate/admit-context.ts'
import { DEFAULT_MAX_AGE_DAYS } from '../gate/admit-event.ts'
import { findAppsByWriteKey } from '../postgres/apps.ts'
import { batchMisses } from '../postgres/batch-misses.ts'
import type { Postgres } from '../postgres/client.ts'
import type { Keyring } from '../postgres/keyring.ts'
import { createRecentMap } from '../postgres/recent-map.ts'
import { EbbError } from '../runtime/errors.ts'
import { collectorError } from './error.ts'

export interface AppContext {
  rules: AppRules
  /** Turns a person's id into a handle, 32 bytes. */
  lookupKey: Buffer
}

export interface AppDirectory {
  /**
   * The app of a write key; at once where it is cached.
   * @throws EbbError `unknown_write_key`, or `apps_unavailable` when the key is not cached and Postgres is away.
   */
  find(writeKey: string): AppContext | Promise<AppContext>
}

interface Entry {
  /** undefined: no app has this key. */
  app: AppContext | undefined
  /** Milliseconds since 1970. */
  checkedAt: number
}

export interface DirectoryDeps {
  /** Database `ebb`. */
  postgres: Postgres
  keyring: Keyring
  /** A known key is checked again after this long, and works on meanwhile: a revoked one ends within it. */
  freshMs?: number
  /** An unknown key is refused without asking for this long. */
  refusedMs?: number
  now?: () => number
  /** Age beyond which no app's events are taken, milliseconds; undefined: each app's own. */
  maxAgeMs?: number | undefined
  /** Hears of an app that cannot be served, and why: a code. Once a minute for each app, however often it comes. */
  onBrokenApp?(app: string, code: string): void
}

/** Write keys are longer than a mistyped password and shorter than this. */
const MAX_KEY_LENGTH = 256
const BROKEN_EVERY_MS = 60_000

/**
 * Apps by write key, cached by the key's SHA-256: comparing hashes tells an attacker's clock nothing of a key. Unknown keys
 * are remembered in a bounded map, so that a flood of them does not reach Postgres one by one; when Postgres is away,
 * known keys go on.
 */
export function createAppDirectory(deps: DirectoryDeps): AppDirectory {
  const freshMs = deps.freshMs ?? 30_000
  const refusedMs = deps.refusedMs ?? 5_000
  const now = deps.now ?? Date.now
  const known = createRecentMap<Entry>(10_000)
  const unknown = createRecentMap<Entry>(10_000)
  const broken = createRecentMap<number>(1_000)
  const onBroken: OnBroken = (app, code) => {
    const toldAt = broken.get(app)
    if (toldAt !== undefined && now() - toldAt < BROKEN_EVERY_MS) return
    broken.set(app, now())
    deps.onBrokenApp?.(app, code)
  }
  const ask = batchMisses<Buffer, AppContext | null>((hashes) => readApps(deps, hashes, onBroken), {
    windowMs: 1,
    batchSize: 200,
    concurrency: 2,
    pendingLimit: 2_000,
  })
  const refresh = async (key: string): Promise<AppContext> => {
    let app: AppContext | null
    try {
      app = await ask(key, Buffer.from(key, 'base64'))
    } catch (cause) {
      throw collectorError('apps_unavailable', cause)
    }
    if (app === null) {
      known.delete(key)
      unknown.set(key, { app: undefined, checkedAt: now() })
      throw collectorError('unknown_write_key')
    }
    unknown.delete(key)
    known.set(key, { app, checkedAt: now() })
    return app
  }
  return {
    find(writeKey) {
      if (writeKey === '') throw collectorError('missing_write_key')
      if (writeKey.length > MAX_KEY_LENGTH) throw collectorError('unknown_write_key')
      const key = hash('sha256', writeKey, 'base64')
      const entry = known.get(key)
      if (entry?.app) {
        if (now() - entry.checkedAt > freshMs) {
          // Marked as checked first: one request asks again, not all that come until the answer.
          known.set(key, { ...entry, checkedAt: now() })
          refresh(key).catch(() => {})
        }
        return entry.app
      }
      const refused = unknown.get(key)
      if (refused && now() - refused.checkedAt < refusedMs) throw collectorError('unknown_write_key')
      return refresh(key)
    },
  }
}

type OnBroken = (app: string, code: string) => void

/** One app that cannot be opened fails by itself; those asked for along with it do not. */
async function readApps(
  deps: DirectoryDeps,
  hashes: Buffer[],
  onBroken: OnBroken,
): Promise<(AppContext | EbbError | null)[]> {
  const found = new Map<string, AppContext | EbbError>()
  for (const { sha256, app, rules } of await findAppsByWriteKey(deps.postgres, hashes)) {
    found.set(sha256.toString('hex'), await openApp(deps, app, rules, onBroken))
  }
  return hashes.map((one) => found.get(one.toString('hex')) ?? null)
}

async function openApp(
  deps: DirectoryDeps,
  app: string,
  rules: AppRules | undefined,
  onBroken: OnBroken,
): Promise<AppContext | EbbError> {
  try {
    if (!rules) throw new EbbError('app_rules_invalid', `app ${app} has rules of another version`)
    return { rules: boundAge(rules, deps.maxAgeMs), lookupKey: await deps.keyring.appLookupKey(app) }
  } catch (cause) {
    onBroken(app, cause instanceof EbbError ? cause.code : 'internal')
    return collectorError('apps_unavailable', cause)
  }
}

const DAY_MS = 86_400_000

/** Events older than the ids of erased people are known for could not be told from anyone's. */
function boundAge(rules: AppRules, maxAgeMs: number | undefined): AppRules {
  if (maxAgeMs === undefined) return rules
  return { ...rules, maxAgeDays: Math.min(rules.maxAgeDays ?? DEFAULT_MAX_AGE_DAYS, maxAgeMs / DAY_MS) }
}

/** The user name of a Basic authorization header, which is where Segment's libraries put the write key; '' where there is none. */
export function basicWriteKey(header: string | undefined): string {
  const match = header && /^basic +([a-z0-9+/_-]+=*) *$/i.exec(header)
  if (!match) return ''
  const text = Buffer.from(match[1]!, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? text : text.slice(0, colon)
}
