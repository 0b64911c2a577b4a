import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'

/** Latency of events from the collector's accept (`received_at`) to the answer of the first query that read them, in ms. */
export interface Arrivals {
  /** Events seen per whole ms of latency; the last slot holds all that took longer. */
  histogram: Uint32Array
  events: number
  /** Watched events that are in the table at the end and that no look has counted: 0, or the latencies say nothing. */
  missed: number
}

const SLOTS = 20_000
/**
 * Between looks while nothing new is here, and after new rows: a look costs the machine under test some ms of CPU, and ingest cuts every
 * 220 ms. An event's latency is overstated by up to such a pause and by what a look lasts, and never understated.
 */
const POLL_MS = 30
const REST_MS = 170
/**
 * For the same reason only events of the first second and a half of each five are watched, and looks are made until a second after it.
 * Who is later still is seen when the next ones are watched, and counts with what it took until then.
 */
const EVERY_MS = 5_000
const WATCHED_MS = 1_500
const FOLLOWED_MS = 2_500

/**
 * One subject in sixteen is watched: tokens are random, so it is a fair sample, and the sort key of `events_raw` (app, day,
 * subject) makes each poll read a sixteenth of the day. Watching all of it would cost the machine under test a core.
 */
const SAMPLE = "subject < unhex('10000000000000000000000000000000')"

/**
 * What a look costs the machine under test is taken from what is measured: the old analyzer answers these queries alike, and one thread
 * is enough for parts of some thousand rows.
 */
const CHEAP = { enable_analyzer: 0, max_threads: 1 } as const

/** A part of `events_raw`, and the inserts it holds: those of its partition with a block number from `first` to `last`. */
interface Part {
  name: string
  partition: string
  first: number
  last: number
}

/**
 * Watches one app's events arrive, by querying. Each look lists the table's active parts, which are what a query at that moment
 * reads: it costs the machine under test little. Only of parts that hold an insert which no earlier look saw are events read, and of
 * those only the cuts that are new: what merges make of parts that were read is not opened again. The joint cuts of a lane have a
 * partition number and growing ends of their own. An event counts at the moment the answer is here that holds it.
 */
export function watchArrivals(client: ClickHouseClient, app: string) {
  const arrivals: Arrivals = { histogram: new Uint32Array(SLOTS), events: 0, missed: 0 }
  const seenCutEnd = new Map<number, bigint>()
  const seenInserts = new Set<string>()
  /** Names of active parts that hold nothing else. */
  const seenParts = new Set<string>()
  const startedAt = Date.now()
  let running = true

  /** Rows that are watched. Bound values: app, since. */
  const watched = `app = {app:String} AND toDate(ts) >= yesterday() AND ${SAMPLE} AND received_at >= fromUnixTimestamp64Milli({since:Int64})
    AND (toUnixTimestamp64Milli(received_at) - {since:Int64}) % ${EVERY_MS} < ${WATCHED_MS}`

  /** @returns whether there was anything new */
  async function look(): Promise<boolean> {
    const active = await listParts(client)
    for (const part of active) {
      if (!seenParts.has(part.name) && insertsOf(part).every((one) => seenInserts.has(one)))
        seenParts.add(part.name)
    }
    const unread = active.filter((part) => !seenParts.has(part.name))
    if (unread.length === 0) return false
    const fresh = await readFresh(active.filter((part) => seenParts.has(part.name)))
    const readAt = Date.now()
    for (const { partition, cutEnd, received, count } of fresh) {
      if (cutEnd > (seenCutEnd.get(partition) ?? -1n)) seenCutEnd.set(partition, cutEnd)
      const latency = Math.max(0, readAt - received)
      arrivals.histogram[Math.min(SLOTS - 1, latency)]! += count
      arrivals.events += count
    }
    for (const part of unread) for (const one of insertsOf(part)) seenInserts.add(one)
    return true
  }

  /** @param read parts to leave out; all others are read, since a listed one may have been merged meanwhile. */
  async function readFresh(read: readonly Part[]) {
    // cut_end needs all its 64 bits, so it comes as text: rounded down, cuts would be seen once more when their parts are merged.
    const seen = [...seenCutEnd].map(([p, end]) => `(partition = ${p} AND cut_end > ${end})`)
    const known = [...seenCutEnd.keys()]
    const fresh = known.length ? `AND (${seen.join(' OR ')} OR partition NOT IN (${known.join(',')}))` : ''
    const result = await client.query({
      query: `SELECT partition, toString(max(cut_end)), toUnixTimestamp64Milli(received_at), count() FROM events_raw
              WHERE ${watched} AND _part NOT IN {read:Array(String)} ${fresh}
              GROUP BY partition, received_at`,
      query_params: { app, since: startedAt, read: read.map(({ name }) => name) },
      clickhouse_settings: CHEAP,
      format: 'JSONCompactEachRow',
    })
    const rows = (await result.json()) as [number, string, string, string][]
    return rows.map(([partition, cutEnd, received, count]) => ({
      partition,
      cutEnd: BigInt(cutEnd),
      received: Number(received),
      count: Number(count),
    }))
  }

  const loop = (async () => {
    while (running) {
      const began = Date.now()
      const pauseMs = (await look()) ? REST_MS : POLL_MS
      const sinceWatched = (Date.now() - startedAt) % EVERY_MS
      const untilWatched = sinceWatched < FOLLOWED_MS ? 0 : EVERY_MS - sinceWatched
      await sleep(Math.max(untilWatched, pauseMs - (Date.now() - began)))
    }
    await look()
    arrivals.missed = (await count(client, watched, { app, since: startedAt })) - arrivals.events
  })()
  return {
    async stop(): Promise<Arrivals> {
      running = false
      await loop
      return arrivals
    },
  }
}

/** The parts that a query of `events_raw` reads now. */
async function listParts(client: ClickHouseClient): Promise<Part[]> {
  const result = await client.query({
    query: `SELECT name, partition_id, min_block_number, max_block_number FROM system.parts
            WHERE database = currentDatabase() AND table = 'events_raw' AND active`,
    clickhouse_settings: CHEAP,
    format: 'JSONCompactEachRow',
  })
  const rows = (await result.json()) as [string, string, string, string][]
  return rows.map(([name, partition, first, last]) => ({
    name,
    partition,
    first: Number(first),
    last: Number(last),
  }))
}

function insertsOf({ partition, first, last }: Part): string[] {
  return Array.from({ length: last - first + 1 }, (_, i) => `${partition}/${first + i}`)
}

/** Rows of an app, all of them. */
export function countEvents(client: ClickHouseClient, app: string): Promise<number> {
  return count(client, 'app = {app:String}', { app })
}

async function count(
  client: ClickHouseClient,
  condition: string,
  values: Record<string, unknown>,
): Promise<number> {
  const result = await client.query({
    query: `SELECT count() FROM events_raw WHERE ${condition}`,
    query_params: values,
    format: 'JSONCompactEachRow',
  })
  return Number(((await result.json()) as [[string]])[0][0])
}

/** The latency in ms below which the given share of events arrived; undefined when none did. */
export function latencyPercentile({ histogram, events }: Arrivals, share: number): number | undefined {
  let seen = 0
  for (let ms = 0; ms < histogram.length; ms++) {
    seen += histogram[ms]!
    if (seen > 0 && seen >= events * share) return ms
  }
  return undefined
}
