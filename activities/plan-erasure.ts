import { createHash } from 'node:crypto'
import { canonicalJson } from '../certificates/canonical-json.ts'
import { DATA_MAP, RESIDUES } from '../schemas/data-map.ts'
import type { ErasureBatchActivities } from '../schemas/erasure.ts'
import { planStores } from '../schemas/erasure-plan.ts'

/** Which stores hold people is said by the data map alone; `dataMap` is its hash (SHA-256, hex). */
export function createPlanErasure(): ErasureBatchActivities['planErasure'] {
  return async () => ({ stores: planStores(DATA_MAP), dataMap: hashDataMap() })
}

/** SHA-256 of the map and its residues in canonical JSON, as certificates carry it. */
export function hashDataMap(): string {
  return createHash('sha256')
    .update(canonicalJson({ places: DATA_MAP, residues: RESIDUES }))
    .digest('hex')
}
