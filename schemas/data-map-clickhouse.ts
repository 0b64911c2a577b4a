import { type DataPlace, describePlaces } from './data-place.ts'

const RAW_RETENTION = '13 months, or less by app and data class'
const ANALYTICS = 'product analytics for the app'

type Table = Pick<DataPlace, 'object' | 'purpose' | 'retention' | 'erasure'>
const table = (about: Table, columns: Parameters<typeof describePlaces>[1]) =>
  describePlaces({ store: 'clickhouse', ...about }, columns)

/** A published day and its staging twin hold the same columns. */
function mart(name: string, staging: string, columns: Parameters<typeof describePlaces>[1]): DataPlace[] {
  return [name, staging].flatMap((object) =>
    table(
      {
        object,
        purpose: 'daily figures for reports and dashboards',
        retention: 'as long as its counts are of use; states as raw',
        erasure: 'derive again from the remaining rows',
      },
      columns,
    ),
  )
}

/** Rows of five people or more, as analysts see them. */
function shown(object: string, columns: string): DataPlace[] {
  return table(
    {
      object,
      purpose: 'daily figures of groups of 5 people or more',
      retention: 'no end',
      erasure: 'derive again from the remaining rows',
    },
    { 'aggregate count': columns, bookkeeping: 'version' },
  )
}

export const clickhousePlaces: readonly DataPlace[] = [
  ...table(
    { object: 'events_raw', purpose: ANALYTICS, retention: RAW_RETENTION, erasure: 'delete rows by subject' },
    {
      pseudonym: 'subject session device event_id order_id',
      behaviour: 'app event path element product',
      money: 'revenue currency',
      time: 'ts received_at',
      'free text of the app': 'props',
      bookkeeping: 'partition cut_end cut',
    },
  ),
  ...table(
    { object: 'sessions', purpose: ANALYTICS, retention: RAW_RETENTION, erasure: 'delete rows by subject' },
    {
      pseudonym: 'subject session',
      behaviour: 'app events pages',
      money: 'revenue',
      time: 'day started ended',
    },
  ),
  ...table(
    {
      object: 'metrics_minute',
      purpose: 'live metrics',
      retention: '8 days (TTL)',
      erasure: 'derive again from the remaining rows',
    },
    {
      'aggregate count': 'app minute event currency events revenue',
      'aggregate state': 'users sessions',
    },
  ),
  ...table(
    {
      object: 'metrics_streaming_daily',
      purpose: 'live metrics, and the check of the daily ETL',
      retention: RAW_RETENTION,
      erasure: 'derive again from the remaining rows',
    },
    {
      'aggregate count': 'app day event currency events revenue',
      'aggregate state': 'users sessions',
    },
  ),
  ...table(
    {
      object: 'click_patterns',
      purpose: 'what people click',
      retention: RAW_RETENTION,
      erasure: 'derive again from the remaining rows',
    },
    { 'aggregate count': 'app day path element clicks', 'aggregate state': 'users' },
  ),
  ...mart('metrics_batch_daily', 'metrics_batch_staging', {
    'aggregate count': 'app day event currency events users sessions revenue',
    'aggregate state': 'users_state sessions_state',
  }),
  ...mart('products_batch_daily', 'products_batch_staging', {
    'aggregate count': 'app day event currency product events users revenue',
  }),
  ...mart('clicks_batch_daily', 'clicks_batch_staging', {
    'aggregate count': 'app day path element clicks users',
  }),
  ...mart('sessions_batch_daily', 'sessions_batch_staging', {
    'aggregate count': 'app day sessions users bounces pages seconds',
  }),
  ...shown('shown_daily', 'app day event currency events users sessions revenue'),
  ...shown('shown_products', 'app day event currency product events users revenue'),
  ...shown('shown_clicks', 'app day path element clicks users'),
  ...shown('shown_sessions', 'app day sessions users bounces pages seconds'),
  ...table(
    {
      object: 'published_days',
      purpose: 'which version of a day is shown',
      retention: 'no end',
      erasure: 'holds no person',
    },
    { bookkeeping: 'day version' },
  ),
  ...table(
    {
      object: 'trends_monthly',
      purpose: 'monthly figures of groups of 5 people or more',
      retention: 'no end',
      erasure: 'derive again from the remaining rows',
    },
    { 'aggregate count': 'app month event currency events users sessions revenue', bookkeeping: 'version' },
  ),
  ...table(
    {
      object: 'ingest_seen',
      purpose: 'count a client’s retry once',
      retention: '48 hours (TTL)',
      erasure: 'expires by itself',
    },
    { 'pseudonymous link': 'hash', bookkeeping: 'partition offset', time: 'at' },
  ),
  ...table(
    {
      object: 'erase_tokens',
      purpose: 'who is erased by the batch under way',
      retention: 'until the rows of its batch are gone',
      erasure: 'expires by itself',
    },
    { pseudonym: 'token', bookkeeping: 'batch' },
  ),
  ...table(
    {
      object: 'erase_days',
      purpose: 'days whose aggregates are to be counted again',
      retention: 'until they are',
      erasure: 'expires by itself',
    },
    { 'aggregate count': 'app day', bookkeeping: 'batch' },
  ),
  ...table(
    {
      object: 'erase_parts',
      purpose: 'evidence for the receipts of the batch under way',
      retention: 'until the batch is done',
      erasure: 'holds no person',
    },
    { bookkeeping: 'batch table part' },
  ),
  ...table(
    { object: 'migrations', purpose: 'schema version', retention: 'no end', erasure: 'holds no person' },
    { bookkeeping: 'version name checksum applied_at' },
  ),
]
