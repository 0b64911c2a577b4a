import { type DataPlace, describePlaces } from './data-place.ts'

const UNTIL_ERASED = 'until the person is erased, or 13 months after the last event'

const KNEX = { purpose: 'schema version', retention: 'no end', erasure: 'holds no person' } as const

/** What the migration library keeps in each database. */
const migrationTables = (store: 'postgres' | 'keyring'): DataPlace[] => [
  ...describePlaces(
    { store, object: 'knex_migrations', ...KNEX },
    { bookkeeping: 'id name batch migration_time' },
  ),
  ...describePlaces({ store, object: 'knex_migrations_lock', ...KNEX }, { bookkeeping: 'index is_locked' }),
]

export const postgresPlaces: readonly DataPlace[] = [
  ...describePlaces(
    {
      store: 'postgres',
      object: 'apps',
      purpose: 'who may send events, by which rules',
      retention: 'while the app exists',
      erasure: 'holds no person',
    },
    { 'app setting': 'app write_key_sha256 rules', time: 'created_at' },
  ),
  ...describePlaces(
    {
      store: 'postgres',
      object: 'subjects',
      purpose: 'find a person’s keys by a keyed hash of the id that the app gives',
      retention: UNTIL_ERASED,
      erasure: 'delete row',
    },
    { pseudonym: 'handle subject_id', behaviour: 'app', time: 'created_at' },
  ),
  ...describePlaces(
    {
      store: 'postgres',
      object: 'subject_links',
      purpose: 'one person’s several ids, as the person asserted them',
      retention: UNTIL_ERASED,
      erasure: 'delete row',
    },
    { 'pseudonymous link': 'from_subject to_subject kind asserted', behaviour: 'app', time: 'created_at' },
  ),
  ...migrationTables('postgres'),
  ...describePlaces(
    {
      store: 'keyring',
      object: 'subject_secrets',
      purpose: 'a person’s secret, sealed by its shard’s key',
      retention: UNTIL_ERASED,
      erasure: 'destroy the wrapping key',
    },
    { pseudonym: 'subject_id', 'wrapped key': 'wrapped', bookkeeping: 'shard key_version' },
  ),
  ...describePlaces(
    {
      store: 'keyring',
      object: 'key_shards',
      purpose: 'keys that seal secrets, themselves sealed by the key provider',
      retention: '90 days, and until every survivor is wrapped anew',
      erasure: 'destroy the wrapping key',
    },
    { 'wrapped key': 'wrapped', bookkeeping: 'shard key_version', time: 'created_at' },
  ),
  ...describePlaces(
    {
      store: 'keyring',
      object: 'app_keys',
      purpose: 'the key of an app’s look-up hashes',
      retention: 'while the app exists',
      erasure: 'holds no person',
    },
    { 'app setting': 'app', 'wrapped key': 'wrapped', time: 'created_at' },
  ),
  ...migrationTables('keyring'),
]
