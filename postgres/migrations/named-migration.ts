import type { Knex } from 'knex'

export interface NamedMigration extends Knex.Migration {
  /** Recorded in `knex_migrations`; never changes once released. */
  name: string
}
