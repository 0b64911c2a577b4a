import type { NamedMigration } from './named-migration.ts'

/** Columns whose values the planner must not keep samples of. */
const COLUMNS: Record<string, string[]> = {
  subjects: ['handle', 'subject_id'],
  subject_links: ['from_subject', 'to_subject'],
  subject_blocks: ['subject_id'],
  users_pii: ['subject_id', 'sealed'],
  users_public: ['subject_id', 'traits'],
  privacy_requests: ['blinds', 'sealed', 'observed'],
  legal_holds: ['sealed'],
  late_links: ['handle'],
}

const set = (target: number) =>
  Object.entries(COLUMNS)
    .map(([table, columns]) => {
      const each = columns.map((column) => `ALTER COLUMN ${column} SET STATISTICS ${target}`)
      return `ALTER TABLE ${table} ${each.join(', ')};`
    })
    .join('\n')

/**
 * ANALYZE copies values of columns into pg_statistic, where they outlive the rows. All look-ups of these columns are by
 * unique or covering indexes, which need no samples; what was sampled before goes with the next rewrite of the catalogue.
 */
export const ebbNoSamples: NamedMigration = {
  name: '0004_no_samples',
  async up(knex) {
    await knex.raw(set(0))
  },
  async down(knex) {
    await knex.raw(set(-1))
  },
}
