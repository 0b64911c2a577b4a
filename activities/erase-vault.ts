import { createHash } from 'node:crypto'
import { canonicalJson } from '../certificates/canonical-json.ts'
import type { Postgres } from '../postgres/client.ts'
import {
  countVaultRows,
  deleteVaultRows,
  type RewrittenTable,
  rewriteTables,
} from '../postgres/erase-vault.ts'
import { EbbError } from '../runtime/errors.ts'
import { faultPoint } from '../runtime/fault.ts'
import { DATA_MAP } from '../schemas/data-map.ts'
import { vaultTables } from '../schemas/erasure-plan.ts'
import type { StoreEraser } from './store-eraser.ts'

/**
 * Deletes the batch's people from every table of the vault that the data map names, then rewrites those tables: a deleted
 * tuple's bytes stay in its page until something else is written there, and planner statistics keep samples of values.
 * @param postgres a pool whose statements may take minutes. Cost: one rewrite of each table a batch.
 * @param largestRewriteBytes see `rewriteTables`; the receipt says of each table which of the two was done
 */
export function createVaultEraser(deps: {
  postgres: Postgres
  largestRewriteBytes: number
  now(): number
}): StoreEraser {
  const { postgres, largestRewriteBytes, now } = deps
  const tables = vaultTables(DATA_MAP)
  return {
    store: 'postgres/vault',
    async erase({ targets }) {
      const subjectIds = targets.flatMap((target) => target.subjectIds)
      const deletions = new Map<string, number>()
      for (const { table, columns } of tables) {
        deletions.set(table, await deleteVaultRows(postgres, table, columns, subjectIds))
        faultPoint('vault.deleted')
      }
      const rewritten = await rewriteTables(
        postgres,
        tables.map(({ table }) => table),
        largestRewriteBytes,
      )
      const evidence = rewritten.map((one) => ({ ...one, deleted: deletions.get(one.table) ?? 0 }))
      for (const { table, columns } of tables) {
        const left = await countVaultRows(postgres, table, columns, subjectIds)
        if (left > 0) throw new EbbError('rows_remain', `${left} rows remain in ${table}`)
      }
      const deleted = evidence.reduce((sum, one) => sum + one.deleted, 0)
      return {
        store: 'postgres/vault',
        outcome: 'erased',
        method: deleted > 0 ? 'deleted' : 'nothing-held',
        atMs: now(),
        ids: evidence.map(sayRewritten),
        evidenceHash: createHash('sha256').update(canonicalJson(evidence)).digest('hex'),
      }
    },
  }
}

/** By the file nodes of Postgres. A table that is too large to be rewritten is no evidence that its bytes are gone, and does not look like one. */
function sayRewritten({ table, before, after }: RewrittenTable): string {
  return before === after
    ? `${table}: file ${before} vacuumed, not rewritten`
    : `${table}: file ${before} rewritten as ${after}`
}
