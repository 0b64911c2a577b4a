import type { ClickHouseClient } from '@clickhouse/client'

/** Latency of events from the collector's accept (`received_at`) to the first query that saw them, in ms. */
export interface Arrivals {
  /** Events seen per whole ms of latency; the last slot holds all that took longer. */
  histogram: Uint32Array
  events: number
}

const SLOTS = 20_000
/** A query each 50 ms: an event's latency is overstated by up to that, and never understated. */
const POLL_MS = 50

/**
 * Watches one app's events arrive, by querying: each poll reads the cuts that no earlier poll saw. An event counts at
 * the moment the answer is here, not when the query began.
 */
export function watchArrivals(client: ClickHouseClient, app: string) {
  const arrivals: Arrivals = { histogram: new Uint32Array(SLOTS), events: 0 }
  const seenCutEnd = new Map<number, bigint>()
  const startedAt = Date.now()
  let newestReceived = startedAt
  let running = true

  async function poll(): Promise<void> {
    const seen = [...seenCutEnd].map(([p, end]) => `(partition = ${p} AND cut_end > ${end})`)
    const known = [...seenCutEnd.keys()]
    const fresh = known.length ? `AND (${seen.join(' OR ')} OR partition NOT IN (${known.join(',')}))` : ''
    const result = await client.query({
      // The bound on received_at lets the sparse index skip old rows; 30 s is far beyond any latency that counts.
      query: `SELECT partition, max(cut_end), toUnixTimestamp64Milli(received_at), count() FROM events_raw
              WHERE app = {app:String} AND received_at >= fromUnixTimestamp64Milli({since:Int64}) ${fresh}
              GROUP BY partition, received_at`,
      query_params: { app, since: Math.max(startedAt, newestReceived - 30_000) },
      format: 'JSONCompactEachRow',
    })
    const rows = (await result.json()) as [number, string, string, string][]
    const seenAt = Date.now()
    for (const [partition, cutEnd, received, count] of rows) {
      const end = BigInt(cutEnd)
      if (end > (seenCutEnd.get(partition) ?? -1n)) seenCutEnd.set(partition, end)
      const latency = Math.max(0, seenAt - Number(received))
      arrivals.histogram[Math.min(SLOTS - 1, latency)]! += Number(count)
      arrivals.events += Number(count)
      newestReceived = Math.max(newestReceived, Number(received))
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
    arrivals,
    async stop(): Promise<Arrivals> {
      running = false
      await loop
      return arrivals
    },
  }
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
