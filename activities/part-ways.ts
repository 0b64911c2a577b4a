import { setTimeout as sleep } from 'node:timers/promises'
import { EbbError } from '../runtime/errors.ts'

const LONGEST_MS = 6_000

/**
 * Two runs of one day that met in staging would meet again and again if both tried anew at once: each waits for a time of
 * its own before its error goes on.
 */
export async function partWays<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    if (error instanceof EbbError && /^staging_/.test(error.code)) await sleep(Math.random() * LONGEST_MS)
    throw error
  }
}
