import { createHash } from 'node:crypto'
import { canonicalJson } from '../certificates/canonical-json.ts'
import type { ClickHouseClient } from '../clickhouse/client.ts'
import { eraseSubjects } from '../clickhouse/erase-subjects.ts'
import type { StoreReceipt } from '../schemas/erasure.ts'
import type { StoreEraser } from './store-eraser.ts'

/** A receipt names no more than this; its hash is over all of the evidence. */
export const MAX_RECEIPT_IDS = 200

/** Hash of evidence as it stands in receipts: SHA-256 over its canonical JSON, hex. */
export function hashEvidence(evidence: unknown): string {
  return createHash('sha256').update(canonicalJson(evidence)).digest('hex')
}

/**
 * All rows of a batch's people, out of every ClickHouse table that has rows of their own: one mutation a table. The receipt names the
 * mutations (`table:id`), the parts that held them (`table:-part`) and those in their place (`table:+part`).
 */
export function createClickHouseEraser({ clickhouse }: { clickhouse: ClickHouseClient }): StoreEraser {
  return {
    store: 'clickhouse/events',
    async erase({ batchId, targets }): Promise<StoreReceipt> {
      const tokens = new Map(
        targets.flatMap((target) => target.tokens).map((token) => [token.toString('hex'), token]),
      )
      const deletions = await eraseSubjects(clickhouse, batchId, [...tokens.values()])
      const ids = deletions.flatMap(({ table, mutations, partsBefore, partsAfter }) => [
        ...mutations.map((id) => `${table}:${id}`),
        ...partsBefore.map((part) => `${table}:-${part}`),
        ...partsAfter.map((part) => `${table}:+${part}`),
      ])
      return {
        store: 'clickhouse/events',
        outcome: 'erased',
        method: deletions.some(({ mutations }) => mutations.length > 0) ? 'deleted' : 'nothing-held',
        atMs: Date.now(),
        ids: ids.slice(0, MAX_RECEIPT_IDS),
        evidenceHash: hashEvidence({ batchId, deletions }),
      }
    },
  }
}
