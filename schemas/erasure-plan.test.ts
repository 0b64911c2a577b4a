import { describe, expect, it } from 'vitest'
import { DATA_MAP } from './data-map.ts'
import { planStores, vaultTables } from './erasure-plan.ts'

describe('the plan of an erasure', () => {
  it('has the stores of the data map that hold people', () => {
    expect(planStores(DATA_MAP)).toEqual(['clickhouse/events', 'postgres/vault', 's3/archive', 's3/exports'])
  })

  it('has a store that was added to the map', () => {
    const added = {
      ...DATA_MAP[0]!,
      store: 's3' as const,
      object: 'features',
      erasure: 'delete row' as const,
    }
    expect(planStores([...DATA_MAP, added])).toContain('s3/features')
  })
})

describe('the tables of the vault', () => {
  it('are those whose rows go with the person, each with a column of subject ids', () => {
    expect(vaultTables(DATA_MAP)).toEqual([
      { table: 'subjects', columns: ['subject_id'] },
      { table: 'subject_links', columns: ['from_subject', 'to_subject'] },
      { table: 'users_pii', columns: ['subject_id'] },
      { table: 'users_public', columns: ['subject_id'] },
      { table: 'contacts', columns: ['subject_id'] },
      { table: 'subject_blocks', columns: ['subject_id'] },
    ])
  })
})
