import type { Bucket } from './bucket.ts'
import { type DataPlace, describePlaces } from './data-place.ts'

type About = Pick<DataPlace, 'purpose' | 'retention' | 'erasure'>
const bucket = (object: Bucket, about: About, columns: Parameters<typeof describePlaces>[1]) =>
  describePlaces({ store: 's3', object, ...about }, columns)

export const s3Places: readonly DataPlace[] = [
  ...bucket(
    'archive',
    {
      purpose: 'events by day and token bucket, for analyses over years and for other tools (Parquet)',
      retention: '13 months, or less by app and data class',
      erasure: 'delete rows by subject',
    },
    { behaviour: '*' },
  ),
  ...bucket(
    'backups',
    {
      purpose: 'bring back what a disk or a mistake took',
      retention: '30 days; the keyring’s 1 day',
      erasure: 'expires by itself',
    },
    { behaviour: '*' },
  ),
  ...bucket(
    'exports',
    {
      purpose: 'files that a person asked for',
      retention: '7 days',
      erasure: 'delete rows by subject',
    },
    { behaviour: '*' },
  ),
  ...bucket(
    'log',
    {
      purpose: 'certificates and the tiles of the transparency log',
      retention: 'no end',
      erasure: 'holds no person',
    },
    { bookkeeping: '*' },
  ),
  ...bucket(
    'journal',
    {
      purpose: 'what a restore must erase again',
      retention: 'until the erasure is closed: no backup is older then',
      erasure: 'expires by itself',
    },
    { 'sealed field': '*' },
  ),
]
