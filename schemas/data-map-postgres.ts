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

/** A person's own fields. */
const vault: DataPlace[] = [
  ...describePlaces(
    {
      store: 'postgres',
      object: 'users_pii',
      purpose: 'personal fields that the app asked to keep',
      retention: UNTIL_ERASED,
      erasure: 'delete row',
    },
    { pseudonym: 'subject_id', 'sealed field': 'sealed', bookkeeping: 'field', time: 'updated_at' },
  ),
  ...describePlaces(
    {
      store: 'postgres',
      object: 'users_public',
      purpose: 'traits without sensitivity',
      retention: UNTIL_ERASED,
      erasure: 'delete row',
    },
    { pseudonym: 'subject_id', behaviour: 'app traits', time: 'updated_at' },
  ),
  ...describePlaces(
    {
      store: 'postgres',
      object: 'contacts',
      purpose:
        'find who asks to be erased by a keyed hash of the address or number that they gave as a trait',
      retention: UNTIL_ERASED,
      erasure: 'delete row',
    },
    { pseudonym: 'subject_id contact_hash', bookkeeping: 'field', time: 'since' },
  ),
]

const REQUEST = {
  store: 'postgres',
  purpose: 'carry out a request and prove it',
  retention: 'the sealed part until the request is closed, the rest as long as claims may be made',
} as const

/** Requests and what proves them. Sealed columns are under the request key, which dies when the request is closed. */
const requests: DataPlace[] = [
  ...describePlaces(
    { ...REQUEST, object: 'privacy_requests', erasure: 'destroy the request key' },
    {
      'sealed field': 'sealed observed',
      pseudonym: 'blinds',
      bookkeeping: 'request_id app kind state proof requested_by stuck_store article progress',
      time: 'received_at grace_until due_at blocked_at certified_at closed_at',
    },
  ),
  ...describePlaces(
    { ...REQUEST, object: 'subject_blocks', erasure: 'delete row' },
    { pseudonym: 'subject_id', bookkeeping: 'request_id' },
  ),
  ...describePlaces(
    { ...REQUEST, object: 'erasure_queue', erasure: 'holds no person' },
    { bookkeeping: 'request_id stage batch_id', time: 'enqueued_at done_at' },
  ),
  ...describePlaces(
    { ...REQUEST, object: 'erasure_receipts', erasure: 'holds no person' },
    { bookkeeping: 'request_id store batch_id outcome method ids evidence', time: 'at' },
  ),
  ...describePlaces(
    { ...REQUEST, object: 'dirty_days', erasure: 'holds no person' },
    { bookkeeping: 'app day', time: 'since' },
  ),
  ...describePlaces(
    { ...REQUEST, object: 'legal_holds', erasure: 'destroy the request key' },
    {
      'sealed field': 'sealed',
      bookkeeping: 'hold_id request_id fields article placed_by',
      time: 'until placed_at released_at',
    },
  ),
  ...describePlaces(
    { ...REQUEST, object: 'certificates', erasure: 'holds no person' },
    { bookkeeping: 'digest request_id kind file proof log_index superseded', time: 'issued_at' },
  ),
  ...describePlaces(
    { ...REQUEST, object: 'backups', erasure: 'holds no person' },
    { bookkeeping: 'backup_id kind location detail', time: 'taken_at expires_at deleted_at' },
  ),
  ...describePlaces(
    { ...REQUEST, object: 'audit_log', erasure: 'holds no person' },
    { bookkeeping: 'seq actor action object outcome previous hash', time: 'at' },
  ),
  ...describePlaces(
    { ...REQUEST, object: 'api_tokens', erasure: 'holds no person' },
    {
      bookkeeping: 'token_id token_sha256 name role apps',
      time: 'created_at expires_at revoked_at',
    },
  ),
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
  ...describePlaces(
    {
      store: 'postgres',
      object: 'late_links',
      purpose: 'further ids of an erased person, as a late link says, until their own erasure begins',
      retention: 'minutes',
      erasure: 'expires by itself',
    },
    { pseudonym: 'handle', behaviour: 'app', time: 'at noted_at' },
  ),
  ...vault,
  ...requests,
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
    {
      'wrapped key': 'wrapped',
      bookkeeping: 'shard key_version provider_key former_key',
      time: 'created_at',
    },
  ),
  ...describePlaces(
    {
      store: 'keyring',
      object: 'app_keys',
      purpose: 'the key of an app’s look-up hashes',
      retention: 'while the app exists',
      erasure: 'holds no person',
    },
    {
      'app setting': 'app',
      'wrapped key': 'wrapped',
      bookkeeping: 'shard key_version',
      time: 'created_at',
    },
  ),
  ...migrationTables('keyring'),
]
