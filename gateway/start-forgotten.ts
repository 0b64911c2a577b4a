import { setTimeout as sleep } from 'node:timers/promises'
import type { Postgres } from '../postgres/client.ts'
import { listRequests } from '../postgres/privacy-requests.ts'
import { describeSafely } from '../runtime/describe-safely.ts'
import type { Logger } from '../runtime/logger.ts'
import type { ErasureClient } from './erasure-client.ts'

/** A request whose erasure has not moved it for this long was perhaps never started. */
const PATIENCE_MS = 10_000

/**
 * Starts erasures that a crash, or an absence of Temporal, kept from starting: whoever asked has an answer already, so
 * nobody would ask again. Starting one that runs changes nothing.
 * @returns how many were looked at.
 */
export async function startForgotten(deps: {
  postgres: Postgres
  erasures: Pick<ErasureClient, 'start'>
  now(): number
}): Promise<number> {
  const waiting = await listRequests(deps.postgres, {
    states: ['received'],
    before: new Date(deps.now() - PATIENCE_MS),
    limit: 1_000,
  })
  for (const { requestId } of waiting) await deps.erasures.start(requestId)
  return waiting.length
}

/** Sweeps every `everyMs` until the signal. */
export async function sweepForgotten(
  deps: Parameters<typeof startForgotten>[0] & { logger: Logger; everyMs: number; signal: AbortSignal },
): Promise<void> {
  while (!deps.signal.aborted) {
    await sleep(deps.everyMs, undefined, { signal: deps.signal }).catch(() => {})
    if (deps.signal.aborted) return
    await startForgotten(deps).catch((error) => {
      deps.logger.warn({ err: describeSafely(error) }, 'sweep failed')
    })
  }
}
