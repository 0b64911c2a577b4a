import type { ClickHouseClient } from '../../clickhouse/client.ts'
import type { Survivors } from '../../schemas/erasure.ts'
import { type Findings, waitFor } from './findings.ts'
import { groupLooks } from './group-looks.ts'
import { ask } from './look-into-clickhouse.ts'
import type { OpenRequest } from './observation.ts'

const STORE = 'clickhouse/aggregates'

/**
 * A batch that came later may have erased its rows and not yet counted again. So long a look waits for it, and with it everyone who
 * shares the look.
 */
const SHARED_MS = 15_000

/** So long whoever has nothing else left waits on, by themselves: a recount of a year takes minutes where much else goes on. */
const RECOUNT_MS = 4 * 60_000
const RECOUNT_PAUSE_MS = 3_000

/** Days of one statement. */
const DAYS_AT_ONCE = 300

/** By `app day`. */
type Days = ReadonlyMap<string, { app: string; day: string }>

/**
 * The live metrics of the days that the person had rows on must not count more than there is: an aggregate that was not
 * derived again still counts who is gone. Metrics are read before rows: rows that come in meanwhile cannot look like too
 * much. Kept to days, since the verifier noted them before anything was erased.
 */
export async function lookIntoAggregates(
  { clickhouse: client, patienceMs = SHARED_MS }: { clickhouse: ClickHouseClient; patienceMs?: number },
  requests: readonly OpenRequest[],
  findings: Findings,
): Promise<void> {
  let waiting = daysOfAll(requests)
  await waitFor(Math.min(patienceMs, SHARED_MS), async () => {
    waiting = await overcounted(client, waiting)
    return waiting.size === 0
  })
  if (waiting.size === 0) return
  for (const { requestId, app, observed } of requests) {
    const left = (observed?.days ?? []).filter((day) => waiting.has(`${app} ${day}`))
    findings.add(requestId, STORE, left.length)
  }
}

/**
 * Waits on for who had nothing but overcounted days in a look; everyone who waits so shares the counts. A day that was seen right once
 * within this wait is right: what a later batch does to it is not theirs.
 * @returns what is left: nothing, or the days that nobody has counted again
 */
export function createRecountWait({
  clickhouse: client,
  patienceMs = RECOUNT_MS,
}: {
  clickhouse: ClickHouseClient
  patienceMs?: number
}): (request: OpenRequest) => Promise<Survivors> {
  const count = groupLooks<Days, Days>(RECOUNT_PAUSE_MS, async (questions) => {
    const wrong = await overcounted(client, new Map(questions.flatMap((days) => [...days])))
    return questions.map((days) => new Map([...days].filter(([key]) => wrong.has(key))))
  })
  return async (request) => {
    let waiting = daysOfAll([request])
    await waitFor(Math.min(patienceMs, RECOUNT_MS), async () => {
      waiting = await count(waiting)
      return waiting.size === 0
    })
    return { found: waiting.size === 0 ? [] : [{ store: STORE, count: waiting.size }] }
  }
}

/** Whether another batch's recount may be all that is missing. */
export function awaitsRecount({ found }: Survivors): boolean {
  return found.length > 0 && withoutAggregates({ found }).found.length === 0
}

export function withoutAggregates({ found }: Survivors): Survivors {
  return { found: found.filter(({ store }) => store !== STORE) }
}

function daysOfAll(requests: readonly OpenRequest[]): Days {
  return new Map(
    requests.flatMap(({ app, observed }) =>
      (observed?.days ?? []).map((day) => [`${app} ${day}`, { app, day }] as const),
    ),
  )
}

async function overcounted(client: ClickHouseClient, days: Days): Promise<Days> {
  const left = new Map<string, { app: string; day: string }>()
  const all = [...days]
  for (let at = 0; at < all.length; at += DAYS_AT_ONCE) {
    const some = all.slice(at, at + DAYS_AT_ONCE)
    const params = { keys: some.map(([key]) => key) }
    const counted = await ask<{ key: string; events: string }>(
      client,
      `SELECT concat(app, ' ', toString(day)) AS key, sum(events) AS events FROM metrics_streaming_daily
       WHERE key IN {keys:Array(String)} GROUP BY key`,
      params,
    )
    const rows = await ask<{ key: string; events: string }>(
      client,
      `SELECT concat(app, ' ', toString(toDate(ts))) AS key, count() AS events FROM events_raw
       WHERE app IN {apps:Array(String)} AND toDate(ts) IN (SELECT toDate(arrayJoin({days:Array(String)})))
         AND key IN {keys:Array(String)} GROUP BY key`,
      {
        ...params,
        apps: [...new Set(some.map(([, one]) => one.app))],
        days: [...new Set(some.map(([, one]) => one.day))],
      },
    )
    const present = new Map(rows.map((row) => [row.key, Number(row.events)]))
    for (const { key, events } of counted) {
      if (Number(events) > (present.get(key) ?? 0)) left.set(key, days.get(key)!)
    }
  }
  return left
}

/** Days (UTC) on which any of these tokens (hex) has rows. One look, by the bloom filter on subjects. */
export async function daysOf(
  client: ClickHouseClient,
  tokens: readonly string[],
): Promise<Map<string, string[]>> {
  const days = new Map<string, string[]>()
  for (let at = 0; at < tokens.length; at += 250) {
    const rows = await ask<{ token: string; day: string }>(
      client,
      `SELECT DISTINCT lower(hex(subject)) AS token, toString(toDate(ts)) AS day FROM events_raw
       WHERE subject IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {tokens:String}))), 16))`,
      { tokens: tokens.slice(at, at + 250).join(',') },
    )
    for (const { token, day } of rows) days.set(token, [...(days.get(token) ?? []), day])
  }
  return days
}
