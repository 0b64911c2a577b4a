import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files that take longest, one that begins last being waited for by idle workers; of those with a whole platform of their own, only a few
 * begin at once. A fresh clone knows of no earlier run.
 */
const LONGEST = [
  ...['saga-drill', 'reidentify-drill', 'verifier-lies', 'erase-clickhouse', 'erasure', 'erasure-drills'],
  ...['partial-saga.isolated', 'erasure-clock.isolated', 'crash-drill', 'partial-certificate'],
  ...['verifier-clickhouse-user', 'shared-devices-drill', 'standing-certificate', 'demo'],
  ...['recount-after-outage', 'collector-outages', 'ingest-joint', 'late-batches', 'workflows-etl.isolated'],
  ...[
    'erasure-restart.isolated',
    'saga-replay.isolated',
    'etl',
    'keyring-destroy',
    'workflows-clock.isolated',
  ],
  ...[
    'erase-by-contact',
    'clickhouse-batch',
    'ingest-hold',
    'ingest-crash',
    'workflows-breaking-edits.isolated',
  ],
  ...['ingest-poison', 'services', 'verifier-load', 'services-compose', 'restore'],
].map((name) => `/${name}.test.ts`)

function placeOf({ moduleId }: TestSpecification): number {
  const place = LONGEST.findIndex((end) => moduleId.endsWith(end))
  return place < 0 ? LONGEST.length : place
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((one, other) => placeOf(one) - placeOf(other))
  }
}
