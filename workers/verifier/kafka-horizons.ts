import { DEFAULT_MAX_AGE_DAYS } from '../../gate/admit-event.ts'
import { topicSettings } from '../../kafka/topics.ts'
import type { Postgres } from '../../postgres/client.ts'
import type { ErasureHorizon } from '../../schemas/erasure.ts'
import { TOPICS } from '../../schemas/event-record.ts'
import type { HasEventsBefore } from './events-kept.ts'
import { soughtOf } from './findings.ts'
import type { OpenRequest } from './observation.ts'
import type { SearchKeys } from './search-keys.ts'

export interface KafkaHorizonDeps {
  postgres: Postgres
  hasEventsBefore: HasEventsBefore
  searchKeys: SearchKeys
  privacy: { suppressMs: number | undefined; eventsRetentionMs: number }
  now(): number
}

/**
 * - `name`: what a certificate says; dates are the latest.
 * - `await`: what the saga waits for. The hashes are needed until their date, and only then withdrawn.
 * - `close`: nothing may be left, whatever anybody has noted.
 */
export type Purpose = 'name' | 'await' | 'close'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
/** From a record's retention to its segment's end on disk: the segment's own span, the broker's checks, its delay. */
const SEGMENT_SLACK_MS = 30 * MINUTE_MS
/** What is withdrawn from a compacted topic is gone within so many retentions of `events` (kafka/topics.ts). */
const COMPACTION_RETENTIONS = 5
/** The broker's own checks, its delay before it deletes a file, and the readings in between. */
const BROKER_MS = 5 * MINUTE_MS

const STATES = { store: 'kafka/subject_states', what: 'keyed hashes of the ids, against late batches' }
const REVOCATIONS = {
  store: 'kafka/revocations',
  what: 'tokens under which nothing may be stored, of no use to anyone since the keys are gone',
}

/** Copies in Kafka that may hold something of the person. @param others what there is elsewhere: withdrawal waits for it */
export async function kafkaHorizons(
  deps: KafkaHorizonDeps,
  request: OpenRequest,
  { heldUntilMs, purpose }: { heldUntilMs: number; purpose: Purpose },
  others: readonly ErasureHorizon[],
): Promise<ErasureHorizon[]> {
  const kept = await events(deps, heldUntilMs)
  const withdrawnMs = request.progress.withdrawn?.atMs
  if (purpose === 'close' || (purpose === 'await' && withdrawnMs !== undefined)) {
    return [...kept, ...(await readable(deps, request, withdrawnMs ?? deps.now()))]
  }
  const neededUntilMs = await suppressedUntil(deps, request, heldUntilMs)
  if (purpose === 'await') {
    const states = neededUntilMs <= deps.now() ? [] : [{ ...STATES, expiresByMs: neededUntilMs }]
    return [...kept, ...states]
  }
  const last = Math.max(neededUntilMs, ...[...kept, ...others].map((one) => one.expiresByMs))
  const expiresByMs = last + compactionMs(deps.privacy.eventsRetentionMs) + BROKER_MS
  return [...kept, { ...STATES, expiresByMs }, { ...REVOCATIONS, expiresByMs }]
}

/** Records that came before the certificate, and that Kafka still has. */
async function events(
  { hasEventsBefore, privacy: { eventsRetentionMs } }: KafkaHorizonDeps,
  heldUntilMs: number,
): Promise<ErasureHorizon[]> {
  if (!(await hasEventsBefore(heldUntilMs))) return []
  const slack = Math.min(SEGMENT_SLACK_MS, eventsRetentionMs + Math.min(MINUTE_MS, eventsRetentionMs))
  return [
    {
      store: 'kafka/events',
      what: 'records of before the certificate, unlinkable since the keys are gone',
      expiresByMs: heldUntilMs + eventsRetentionMs + slack,
    },
  ]
}

/** What a reading of both topics finds; and, since the broker deletes a file only a while after nobody can read it, for that long. */
async function readable(
  { searchKeys, privacy: { eventsRetentionMs }, now }: KafkaHorizonDeps,
  request: OpenRequest,
  withdrawnMs: number,
): Promise<ErasureHorizon[]> {
  const found = await searchKeys(soughtOf(request))
  const expiresByMs = withdrawnMs + compactionMs(eventsRetentionMs)
  if (found.states || found.revocations) {
    return [
      ...(found.states ? [{ ...STATES, expiresByMs }] : []),
      ...(found.revocations ? [{ ...REVOCATIONS, expiresByMs }] : []),
    ]
  }
  const leftMs = fileDelayMs(eventsRetentionMs) - found.goneMs
  if (leftMs <= 0) return []
  return [STATES, REVOCATIONS].map((one) => ({ ...one, expiresByMs: now() + leftMs }))
}

function compactionMs(retentionMs: number): number {
  return COMPACTION_RETENTIONS * retentionMs + Math.min(MINUTE_MS, retentionMs)
}

/** What both topics say of it, and the broker's own time to do it. */
function fileDelayMs(retentionMs: number): number {
  const { entries } = topicSettings(retentionMs)[TOPICS.revocations]
  return Number(entries['file.delete.delay.ms']) + 2_000
}

/** Until when the keyed hashes of the person's ids are needed, so that late batches store nothing. */
async function suppressedUntil(
  deps: KafkaHorizonDeps,
  { app, progress }: OpenRequest,
  heldUntilMs: number,
): Promise<number> {
  if (progress.cutoff) return progress.cutoff.untilMs
  const suppressMs = deps.privacy.suppressMs ?? (await maxAgeMs(deps.postgres, app))
  return heldUntilMs + suppressMs + Math.min(HOUR_MS, suppressMs)
}

async function maxAgeMs(postgres: Postgres, app: string): Promise<number> {
  const rows = await postgres.query<{ days: string | null }>(
    'verifier_app_rules',
    `SELECT rules->>'maxAgeDays' AS days FROM apps WHERE app = $1`,
    [app],
  )
  return Number(rows[0]?.days ?? DEFAULT_MAX_AGE_DAYS) * DAY_MS
}
