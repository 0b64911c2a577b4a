import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { FilteredCut } from './filter-cut.ts'
import type { IngestRecord } from './inspect-record.ts'

export interface IngestMetrics {
  cutWritten(partition: number, records: readonly IngestRecord[], filtered: FilteredCut): void
  insertSeconds(seconds: number): void
  /** Records of the partition's log that are not acknowledged. */
  lag(partition: number, records: number): void
  /** The partition is another member's now. */
  forget(partition: number): void
}

export function createIngestMetrics(registry: Registry): IngestMetrics {
  const registers = [registry]
  const events = new Counter({
    name: 'ebb_ingest_events_total',
    help: 'Events by what became of them: stored, duplicate (client retries), revoked, rejected',
    labelNames: ['result'],
    registers,
  })
  const lag = new Gauge({
    name: 'ebb_ingest_lag_records',
    help: 'Records in Kafka that are not yet acknowledged, by partition',
    labelNames: ['partition'],
    registers,
  })
  const insert = new Histogram({
    name: 'ebb_ingest_insert_seconds',
    help: 'Time of one insert into ClickHouse',
    buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
    registers,
  })
  const cutEvents = new Histogram({
    name: 'ebb_ingest_cut_events',
    help: 'Events of one cut',
    buckets: [1, 10, 100, 1_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000],
    registers,
  })
  const delay = new Histogram({
    name: 'ebb_ingest_delay_seconds',
    help: 'From Kafka taking the oldest record of a cut until it is in ClickHouse (by two clocks)',
    buckets: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60, 600],
    registers,
  })
  const sum = (records: readonly IngestRecord[]) => records.reduce((total, record) => total + record.count, 0)
  return {
    cutWritten(_partition, records, filtered) {
      const stored = sum(filtered.insert)
      events.inc({ result: 'stored' }, stored)
      events.inc({ result: 'duplicate' }, filtered.duplicateEvents)
      events.inc({ result: 'revoked' }, filtered.revokedEvents)
      for (const { record } of filtered.rejected)
        events.inc({ result: 'rejected' }, Math.max(1, record.count))
      cutEvents.observe(stored)
      delay.observe(Math.max(0, Date.now() - records[0]!.at) / 1_000)
    },
    insertSeconds: (seconds) => insert.observe(seconds),
    lag: (partition, records) => lag.set({ partition: String(partition) }, records),
    forget: (partition) => lag.remove({ partition: String(partition) }),
  }
}
