import { createHash } from 'node:crypto'
import { canonicalJson } from '../certificates/canonical-json.ts'
import type { Postgres } from '../postgres/client.ts'
import { countVaultRows, deleteVaultRows, rewriteTables } from '../postgres/erase-vault.ts'
import { EbbError } from '../runtime/errors.ts'
import { faultPoint } from '../runtime/fault.ts'
import { DATA_MAP } from '../schemas/data-map.ts'
import { vaultTables } from '../schemas/erasure-plan.ts'
import type { StoreEraser } from './store-eraser.ts'

/**
 * Deletes the batch's people from every table of the vault that the data map names, then rewrites those tables: a deleted
 * tuple's bytes stay in its page until something else is written there, and planner statistics keep samples of values.
 * @param postgres a pool whose statements may take minutes. Cost: one rewrite of each table a batch.
 */
export function createVaultEraser(deps: { postgres: Postgres; now(): number }): StoreEraser {
  const { postgres, now } = deps
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
        // File nodes of Postgres: each table lies in a new file since.
        ids: evidence.map(({ table, before, after }) => `${table}: file ${before} rewritten as ${after}`),
        evidenceHash: createHash('sha256').update(canonicalJson(evidence)).digest('hex'),
      }
    },
  }
}
