import type { NamedMigration } from './named-migration.ts'

/** Ids that a late link names as an erased person's: their data wait for an erasure of their own. */
export const ebbLateLinks: NamedMigration = {
  name: '0003_late_links',
  async up(knex) {
    await knex.raw(`
      CREATE TABLE late_links (
        handle   bytea       PRIMARY KEY CHECK (octet_length(handle) = 32),
        app      text        NOT NULL,
        -- Moment up to which the person's data were to be erased.
        at       timestamptz NOT NULL,
        noted_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX late_links_noted ON late_links (noted_at);
    `)
  },
  async down(knex) {
    await knex.raw('DROP TABLE late_links')
  },
}
