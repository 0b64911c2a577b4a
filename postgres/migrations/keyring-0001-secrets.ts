import type { NamedMigration } from './named-migration.ts'

/**
 * Wrapped keys, in a database of its own with short-lived backups. A subject's secret is sealed by its shard's key, a
 * shard's key by the key provider: destroying a secret means rewrapping its shard's survivors under a new version and
 * destroying the old one, since a deleted row is not a destroyed key.
 */
export const keyringSecrets: NamedMigration = {
  name: '0001_secrets',
  async up(knex) {
    await knex.raw(`
      CREATE TABLE key_shards (
        shard       smallint    NOT NULL CHECK (shard >= 0),
        key_version integer     NOT NULL CHECK (key_version >= 1),
        wrapped     bytea       NOT NULL,
        created_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (shard, key_version)
      );
      CREATE TABLE subject_secrets (
        subject_id  uuid     PRIMARY KEY,
        shard       smallint NOT NULL,
        key_version integer  NOT NULL,
        wrapped     bytea    NOT NULL,
        FOREIGN KEY (shard, key_version) REFERENCES key_shards (shard, key_version)
      );
      -- A shard is rewrapped whole.
      CREATE INDEX subject_secrets_shard ON subject_secrets (shard, key_version);
      CREATE TABLE app_keys (
        app        text        PRIMARY KEY,
        wrapped    bytea       NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      );
    `)
  },
  async down(knex) {
    await knex.raw('DROP TABLE app_keys; DROP TABLE subject_secrets; DROP TABLE key_shards;')
  },
}
