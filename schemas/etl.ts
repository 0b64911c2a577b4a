/**
 * What passes between the ETL workflows and their activities. All of it is kept in workflow histories, which anyone
 * with the Temporal UI can read: counts, days, names of apps and declared events, never an id of a person.
 */

/** Hour of the daily schedule, UTC: two hours after the day's end, so that phones that slept have come back. */
export const ETL_HOUR_UTC = 2

export interface DailyEtlInput {
  /** `YYYY-MM-DD`; without it, the day before the schedule's time. */
  day?: string
}

export interface DailyEtlResult {
  day: string
  /** Rows of `metrics_batch_daily` for the day. */
  rows: number
  /** Raw events that were counted. */
  events: number
  /** Rows on which batch and stream agree, and those on which they do not. */
  equal: number
  drifted: DriftedRow[]
  driftedCount: number
  /** False for a day that is not over: analysts' views keep it live, and a run after its end publishes it. */
  published: boolean
  /** The report's Markdown file, relative to the project where it lies in it, else absolute. */
  reportPath: string
}

export interface ReportInput {
  /** `YYYY-MM-DD`, for a monthly report `YYYY-MM`; without it, the one before the schedule's time. */
  period?: string
}

export interface ReportResult {
  period: string
  path: string
  chartPath: string
  /** The report for a terminal, some forty lines. */
  text: string
}

/** Offsets of the `events` topic that ingest must have passed, by partition. */
export interface IngestTargets {
  /** `[partition, offset]`, log-end offset observed after the day's end. */
  offsets: [number, number][]
}

export interface IngestLag {
  /** Records before the targets that ingest has not acknowledged yet. */
  behind: number
}

export interface AggregateResult {
  rows: number
  events: number
  /** Absent in runs that began before swaps were held to it; they count again. */
  staged?: StagedDay
}

/** What was counted into a staging table: rows, and a checksum over all their figures as decimal text. */
export interface StagedRows {
  rows: number
  checksum: string
}

/** By the table that the staged rows are to be served from. */
export type StagedDay = Record<string, StagedRows>

export interface SwapResult {
  /** False for a day that is not over (UTC): served to reports, not shown to analysts, whose views keep it live. */
  published: boolean
}

/** The measures of one (app, event, currency) on one day. `revenue` in units of its currency as decimal text. */
export interface Measures {
  events: number
  users: number
  sessions: number
  revenue: string
}

export interface DriftedRow {
  app: string
  event: string
  /** ISO 4217, '' for events without money. */
  currency: string
  /** null where that side has no such row. */
  batch: Measures | null
  streaming: Measures | null
}

export interface CompareResult {
  equal: number
  driftedCount: number
  /** `MAX_DRIFTED_ROWS` of them at most, largest difference of events first. */
  drifted: DriftedRow[]
}

/** Bound on rows named in a history, an alert and a report; the count is always exact. */
export const MAX_DRIFTED_ROWS = 100

export type AlertKind = 'drift' | 'ingest_behind'

export interface Alert {
  kind: AlertKind
  day: string
  /** One sentence for an operator. */
  message: string
  drifted: DriftedRow[]
}

/** The side effects that the ETL workflows call; activities/create-activities.ts has them. Each may be repeated safely. */
export interface EtlActivities {
  /** Log-end offsets now. Call it after the day's end: what is behind these offsets includes the whole day. */
  observeIngestTargets(input: { day: string }): Promise<IngestTargets>
  /** Polls for a bounded time; returns early with `behind: 0` once ingest has passed the targets. */
  awaitIngest(input: { targets: IngestTargets }): Promise<IngestLag>
  /** Aggregates raw rows of the day into staging; readers see nothing of it yet. `staging_busy` passes with a retry. */
  aggregateDay(input: { day: string }): Promise<AggregateResult>
  /**
   * Puts the staged day in the place of the served one, at once. Fails with `staging_dirty` when staging does not hold
   * exactly what was counted: two attempts met, and the day is to be aggregated again.
   */
  swapDay(input: { day: string; staged?: StagedDay | undefined }): Promise<SwapResult>
  compareDay(input: { day: string }): Promise<CompareResult>
  /** Shows analysts the recounted figures of days that erasures touched since the last swap, all together. */
  republishDirtyDays(): Promise<{ days: number }>
  raiseAlert(input: Alert): Promise<void>
  writeBusinessReport(input: { day: string }): Promise<ReportResult>
  writeMonthlyTrends(input: { month: string }): Promise<ReportResult>
}

/** Why a step failed; the `type` of its ApplicationFailure. */
export type EtlErrorCode =
  | 'bad_period'
  | 'bad_day'
  | 'bad_month'
  | 'ingest_behind'
  | 'staging_busy'
  | 'staging_dirty'
  | 'kafka_unavailable'
  | 'clickhouse_failed'
  | 'query_refused'
  | 'unreachable'
  | 'report_unwritable'
  | 'internal'

/** Answer of the `progress` query. */
export interface Progress {
  period: string
  stage: string
  done: { stage: string; outcome: string }[]
}
