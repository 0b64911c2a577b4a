import { ListObjectVersionsCommand } from '@aws-sdk/client-s3'
import { ClickHouseError } from '@clickhouse/client'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { EbbError } from '../../runtime/errors.ts'
import type { S3 } from '../../s3/client.ts'
import type { Bucket } from '../../schemas/bucket.ts'

/** What a look into a store goes through. */
type Way = 'clickhouse' | 'archive' | 'exports'

/** The archive's files are read by ClickHouse. Postgres is not here: without it there is no request to look for. */
const WAYS: Record<string, readonly Way[]> = {
  'clickhouse/events': ['clickhouse'],
  'clickhouse/aggregates': ['clickhouse'],
  's3/archive': ['archive', 'clickhouse'],
  's3/exports': ['exports'],
}

/** A store that says nothing for so long is out of reach. A refusal is an answer. */
const SILENCE_MS = 10_000
const AGAIN_MS = 500

export interface ReachDeps {
  clickhouse: ClickHouseClient
  s3: S3
  patienceMs?: number
}

/** Stores that give the verifier no answer to the simplest question: its own finding, whatever the erasers say. */
export async function findUnreachable(deps: ReachDeps): Promise<string[]> {
  const silenceMs = Math.min(deps.patienceMs ?? SILENCE_MS, SILENCE_MS)
  const [clickhouse, archive, exports] = await Promise.all([
    answers(silenceMs, (signal) => askClickHouse(deps.clickhouse, signal)),
    answers(silenceMs, (signal) => askBucket(deps.s3, 'archive', signal)),
    answers(silenceMs, (signal) => askBucket(deps.s3, 'exports', signal)),
  ])
  const open: Record<Way, boolean> = { clickhouse, archive, exports }
  return Object.entries(WAYS).flatMap(([store, ways]) => (ways.every((way) => open[way]) ? [] : store))
}

async function answers(
  silenceMs: number,
  question: (signal: AbortSignal) => Promise<boolean>,
): Promise<boolean> {
  for (const end = performance.now() + silenceMs; ; ) {
    const leftMs = Math.max(1, Math.ceil(end - performance.now()))
    if (await question(AbortSignal.timeout(leftMs))) return true
    if (performance.now() + AGAIN_MS > end) return false
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }
}

async function askClickHouse(client: ClickHouseClient, abort_signal: AbortSignal): Promise<boolean> {
  try {
    const result = await client.query({ query: 'SELECT 1', format: 'JSONEachRow', abort_signal })
    await result.json()
    return true
  } catch (error) {
    return error instanceof ClickHouseError
  }
}

async function askBucket(s3: S3, bucket: Bucket, abortSignal: AbortSignal): Promise<boolean> {
  const first = new ListObjectVersionsCommand({ Bucket: s3.nameOf(bucket), MaxKeys: 1 })
  try {
    await s3.call((client) => client.send(first, { abortSignal }))
    return true
  } catch (error) {
    return error instanceof EbbError && error.code === 's3_refused'
  }
}
