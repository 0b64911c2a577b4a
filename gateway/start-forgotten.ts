import { setTimeout as sleep } from 'node:timers/promises'
import type { Postgres } from '../postgres/client.ts'
import { listRequests } from '../postgres/privacy-requests.ts'
import { describeSafely } from '../runtime/describe-safely.ts'
import type { Logger } from '../runtime/logger.ts'
import type { ErasureClient } from './erasure-client.ts'

/** A request whose erasure has not moved it for this long was perhaps never started. */
const PATIENCE_MS = 10_000
/** A busy platform leaves many waiting that do run, and each question would keep it busier. */
const ASK_AGAIN_MS = 120_000

/**
 * Starts erasures that a crash, or an absence of Temporal, kept from starting: whoever asked has an answer already, so
 * nobody would ask again. Starting one that runs changes nothing.
 * @param askedAt when Temporal had the erasure of a request, as of earlier sweeps: it is asked for again after a while only. Those
 * that wait no longer are taken out
 * @returns how many were looked at.
 */
export async function startForgotten(
  deps: {
    postgres: Postgres
    erasures: Pick<ErasureClient, 'start'>
    now(): number
  },
  askedAt = new Map<string, number>(),
): Promise<number> {
  const waiting = await listRequests(deps.postgres, {
    states: ['received'],
    before: new Date(deps.now() - PATIENCE_MS),
    limit: 1_000,
  })
  const ids = new Set(waiting.map(({ requestId }) => requestId))
  for (const requestId of askedAt.keys()) if (!ids.has(requestId)) askedAt.delete(requestId)
  for (const requestId of ids) {
    if (deps.now() - (askedAt.get(requestId) ?? Number.NEGATIVE_INFINITY) < ASK_AGAIN_MS) continue
    await deps.erasures.start(requestId)
    askedAt.set(requestId, deps.now())
  }
  return waiting.length
}

/** Sweeps every `everyMs` until the signal. */
export async function sweepForgotten(
  deps: Parameters<typeof startForgotten>[0] & { logger: Logger; everyMs: number; signal: AbortSignal },
): Promise<void> {
  const askedAt = new Map<string, number>()
  while (!deps.signal.aborted) {
    await sleep(deps.everyMs, undefined, { signal: deps.signal }).catch(() => {})
    if (deps.signal.aborted) return
    await startForgotten(deps, askedAt).catch((error) => {
      deps.logger.warn({ err: describeSafely(error) }, 'sweep failed')
    })
  }
}
