import type { NamedMigration } from './named-migration.ts'

/**
 * Statistics would keep samples of subject ids in pg_statistic, whose own dead rows nobody rewrites. Look-ups go by unique
 * keys, so the planner does not miss them.
 */
export const keyringNoStatistics: NamedMigration = {
  name: '0003_no_statistics',
  async up(knex) {
    await knex.raw(`
      ALTER TABLE subject_secrets ALTER COLUMN subject_id SET STATISTICS 0, ALTER COLUMN wrapped SET STATISTICS 0;
      ALTER TABLE key_shards ALTER COLUMN wrapped SET STATISTICS 0;
      ALTER TABLE app_keys ALTER COLUMN wrapped SET STATISTICS 0;
    `)
  },
  async down(knex) {
    await knex.raw(`
      ALTER TABLE subject_secrets ALTER COLUMN subject_id SET STATISTICS -1, ALTER COLUMN wrapped SET STATISTICS -1;
      ALTER TABLE key_shards ALTER COLUMN wrapped SET STATISTICS -1;
      ALTER TABLE app_keys ALTER COLUMN wrapped SET STATISTICS -1;
    `)
  },
}
