import { createHash } from 'node:crypto'
import type { StoreReceipt } from '../schemas/erasure.ts'

/** Ids that fit into a certificate; the hash covers all. */
const MOST_IDS = 200

/** A receipt over public names: object keys and version ids. @param at milliseconds since 1970 */
export function objectReceipt(
  store: string,
  method: StoreReceipt['method'],
  evidence: { ids: string[] } & Record<string, unknown>,
  at: number,
): StoreReceipt {
  return {
    store,
    outcome: 'erased',
    method,
    atMs: at,
    ids: evidence.ids.slice(0, MOST_IDS),
    evidenceHash: createHash('sha256').update(JSON.stringify(evidence)).digest('hex'),
  }
}
