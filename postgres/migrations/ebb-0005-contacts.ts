import type { NamedMigration } from './named-migration.ts'

/** People by the address or number that they gave as a trait, as a keyed hash: the trait itself lies sealed in `users_pii`. */
export const ebbContacts: NamedMigration = {
  name: '0005_contacts',
  async up(knex) {
    await knex.raw(`
      CREATE TABLE contacts (
        subject_id   uuid        NOT NULL,
        field        text        NOT NULL,
        contact_hash bytea       NOT NULL CHECK (octet_length(contact_hash) = 32),
        -- Moment from which the profile carries it, and not that of the transaction: whoever waited behind a block comes after it.
        since        timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (subject_id, field)
      );
      CREATE INDEX contacts_hash ON contacts (contact_hash);
      -- No samples of pseudonyms: see 0004.
      ALTER TABLE contacts ALTER COLUMN subject_id SET STATISTICS 0, ALTER COLUMN contact_hash SET STATISTICS 0;
    `)
  },
  async down(knex) {
    await knex.raw('DROP TABLE contacts')
  },
}
