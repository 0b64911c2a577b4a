import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take longest, in this order: one that begins last is waited for by idle workers. A fresh clone knows of no earlier run. */
const LONGEST = [
  ...[
    'saga-drill',
    'reidentify-drill',
    'crash-drill',
    'shared-devices-drill',
    'erasure-drills',
    'erasure',
    'demo',
  ],
  ...[
    'erasure-clock.isolated',
    'erasure-restart.isolated',
    'verifier-lies',
    'partial-saga.isolated',
    'services',
  ],
  ...['collector-outages', 'erase-clickhouse', 'late-batches', 'ingest-joint', 'clickhouse-batch'],
  ...['workflows-breaking-edits.isolated', 'workflows-etl.isolated', 'ingest-crash', 'ingest-poison'],
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
