import type { NamedMigration } from './named-migration.ts'

/**
 * Each shard version is wrapped by a key of its own at the provider, so that destroying that key makes every copy of the
 * version unreadable: in WAL, dead tuples and backups. Look-up keys of apps are sealed by a shard of their own and rotate
 * with it. NULL: still under the master key of before, and taken over when a keyring is opened (postgres/take-over.ts).
 */
export const keyringProviderKeys: NamedMigration = {
  name: '0002_provider_keys',
  async up(knex) {
    await knex.raw(`
      ALTER TABLE key_shards ADD COLUMN provider_key text UNIQUE;
      -- The master key that wrapped it before, until that is destroyed.
      ALTER TABLE key_shards ADD COLUMN former_key text;
      ALTER TABLE app_keys
        ADD COLUMN shard smallint,
        ADD COLUMN key_version integer,
        ADD FOREIGN KEY (shard, key_version) REFERENCES key_shards (shard, key_version);
    `)
  },
  async down(knex) {
    await knex.raw(`
      ALTER TABLE app_keys DROP COLUMN shard, DROP COLUMN key_version;
      ALTER TABLE key_shards DROP COLUMN provider_key, DROP COLUMN former_key;
    `)
  },
}
