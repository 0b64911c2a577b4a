import type { ClickHouseClient } from '@clickhouse/client'

/** Latency of events from the collector's accept (`received_at`) to the first query that saw them, in ms. */
export interface Arrivals {
  /** Events seen per whole ms of latency; the last slot holds all that took longer. */
  histogram: Uint32Array
  events: number
}

const SLOTS = 20_000
/** A query each 100 ms: an event's latency is overstated by up to that, and never understated. */
const POLL_MS = 100

/**
 * One subject in sixteen is watched: tokens are random, so it is a fair sample, and the sort key of `events_raw` (app, day,
 * subject) makes each poll read a sixteenth of the day. Watching all of it would cost the machine under test a core.
 */
const SAMPLE = "subject < unhex('10000000000000000000000000000000')"

/**
 * Watches one app's events arrive, by querying: each poll reads the cuts that no earlier poll saw. The joint cuts of a lane
 * have a partition number and growing ends of their own. An event counts at
 * the moment the answer is here, not when the query began.
 */
export function watchArrivals(client: ClickHouseClient, app: string) {
  const arrivals: Arrivals = { histogram: new Uint32Array(SLOTS), events: 0 }
  const seenCutEnd = new Map<number, bigint>()
  /** Parts never change: those that a poll has read are not opened again; what merges make of them is, and the cuts tell. */
  let seenParts: string[] = []
  const startedAt = Date.now()
  let running = true

  async function poll(): Promise<void> {
    // cut_end needs all its 64 bits, so it comes as text: rounded down, cuts would be seen once more when their parts are merged.
    const seen = [...seenCutEnd].map(([p, end]) => `(partition = ${p} AND cut_end > ${end})`)
    const known = [...seenCutEnd.keys()]
    const fresh = known.length ? `AND (${seen.join(' OR ')} OR partition NOT IN (${known.join(',')}))` : ''
    const result = await client.query({
      query: `SELECT _part, partition, toString(max(cut_end)), toUnixTimestamp64Milli(received_at), count() FROM events_raw
              WHERE app = {app:String} AND toDate(ts) >= yesterday() AND ${SAMPLE} AND _part NOT IN {parts:Array(String)}
                AND received_at >= fromUnixTimestamp64Milli({since:Int64}) ${fresh}
              GROUP BY _part, partition, received_at`,
      query_params: { app, since: startedAt, parts: seenParts },
      format: 'JSONCompactEachRow',
    })
    const rows = (await result.json()) as [string, number, string, string, string][]
    const seenAt = Date.now()
    // Only the newest names matter: older parts have been merged away.
    seenParts = [...new Set([...rows.map(([part]) => part), ...seenParts])].slice(0, 500)
    for (const [, partition, cutEnd, received, count] of rows) {
      const end = BigInt(cutEnd)
      if (end > (seenCutEnd.get(partition) ?? -1n)) seenCutEnd.set(partition, end)
      const latency = Math.max(0, seenAt - Number(received))
      arrivals.histogram[Math.min(SLOTS - 1, latency)]! += Number(count)
      arrivals.events += Number(count)
    }
  }

  const loop = (async () => {
    while (running) {
      const began = Date.now()
      await poll()
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, POLL_MS - (Date.now() - began))))
    }
    await poll()
  })()
  return {
    async stop(): Promise<Arrivals> {
      running = false
      await loop
      return arrivals
    },
  }
}

/** Rows of an app, all of them. */
export async function countEvents(client: ClickHouseClient, app: string): Promise<number> {
  const result = await client.query({
    query: 'SELECT count() FROM events_raw WHERE app = {app:String}',
    query_params: { app },
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
