/** What a workflow does, in a sentence or two: Temporal's UI shows it with each run, by a schedule or by hand. */
export const WORKFLOW_DETAILS = {
  dailyEtl:
    'Waits for ingest, counts the day from raw, swaps its partition, compares with streaming, reports, alerts on drift.',
  businessReport:
    'Writes the report of one day, Markdown and a chart: served batch metrics, the day’s raw events, what the gate refused.',
  monthlyTrends: 'Writes the trends of one month against those before it, from the served batch metrics.',
  archiveDay:
    'Writes one day of raw events into the archive, as Parquet. May be repeated: late events are picked up.',
  backup:
    'Copies ClickHouse, Postgres and the keyring, or what was asked for of them, then the log of Postgres that belongs to them; purges what has expired.',
  shipWal: 'Purges backups that have expired and copies what Postgres has written since the last run.',
  rotateKeys: 'Seals every secret under a new wrapping key of its shard and destroys the old keys.',
  followUpErasures:
    'Erases late links of erased people, and starts requests that were recorded and never started.',
  eraseSubject:
    'Blocks one person, erases them in every store, has that verified, destroys their keys, certifies; waits until the last copy has expired.',
  eraseBatch:
    'Gathers requests, erases every store once for all of them, destroys their keys. Ends when nobody waits.',
} as const
