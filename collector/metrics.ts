import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { DropCode, RejectCode } from '../schemas/reject-code.ts'

export interface CollectorMetrics {
  accepted(events: number): void
  rejected(code: RejectCode, events: number): void
  dropped(code: DropCode, fields: number): void
  /** @param seconds from the end of the headers to the answer. */
  answered(status: number, seconds: number): void
}

/** @param bytesUnderWay read at each scrape. @param cachedSubjects likewise. */
export function createCollectorMetrics(
  registry: Registry,
  bytesUnderWay: () => number,
  cachedSubjects: () => number,
): CollectorMetrics {
  const registers = [registry]
  const events = new Counter({
    name: 'ebb_collector_events_total',
    help: 'Events by what became of them: accepted, or the code of the rejection',
    labelNames: ['result'],
    registers,
  })
  const fields = new Counter({
    name: 'ebb_collector_dropped_fields_total',
    help: 'Fields left out of accepted events, by code',
    labelNames: ['code'],
    registers,
  })
  const requests = new Counter({
    name: 'ebb_collector_requests_total',
    help: 'Requests by status',
    labelNames: ['status'],
    registers,
  })
  const duration = new Histogram({
    name: 'ebb_collector_request_seconds',
    help: 'From the headers of a request to its answer',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  })
  gauge(
    registry,
    'ebb_collector_bytes_under_way',
    'Bytes between a client and the broker’s ack',
    bytesUnderWay,
  )
  gauge(registry, 'ebb_collector_cached_subjects', 'People whose keys are in memory', cachedSubjects)
  const accepted = events.labels('accepted')
  const ok = requests.labels('200')
  return {
    accepted: (count) => accepted.inc(count),
    rejected: (code, count) => events.inc({ result: code }, count),
    dropped: (code, count) => fields.inc({ code }, count),
    answered(status, seconds) {
      if (status === 200) ok.inc()
      else requests.inc({ status: String(status) })
      duration.observe(seconds)
    },
  }
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read())
    },
  })
}
