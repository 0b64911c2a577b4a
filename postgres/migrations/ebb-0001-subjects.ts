import type { NamedMigration } from './named-migration.ts'

/**
 * Apps and their people. `handle` is HMAC(app look-up key, kind + id): the id itself never comes here, and the token that
 * the person's events carry is not derivable from anything in this database.
 */
export const ebbSubjects: NamedMigration = {
  name: '0001_subjects',
  async up(knex) {
    await knex.raw(`
      CREATE TABLE apps (
        app              text        PRIMARY KEY,
        write_key_sha256 bytea       NOT NULL UNIQUE CHECK (octet_length(write_key_sha256) = 32),
        rules            jsonb       NOT NULL DEFAULT '{}',
        created_at       timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE subjects (
        handle     bytea       PRIMARY KEY,
        app        text        NOT NULL,
        subject_id uuid        NOT NULL UNIQUE,
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE subject_links (
        app          text        NOT NULL,
        from_subject uuid        NOT NULL,
        to_subject   uuid        NOT NULL,
        kind         text        NOT NULL CHECK (kind IN ('identify', 'alias')),
        asserted     boolean     NOT NULL,
        created_at   timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (from_subject, to_subject, kind)
      );
      -- The closure of a person's links is walked both ways.
      CREATE INDEX subject_links_to ON subject_links (to_subject);
    `)
  },
  async down(knex) {
    await knex.raw('DROP TABLE subject_links; DROP TABLE subjects; DROP TABLE apps;')
  },
}
