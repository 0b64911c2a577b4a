import { setTimeout as sleep } from 'node:timers/promises'
import type { PrivacyOffice } from '../../cli/privacy-office.ts'
import { EbbError } from '../../runtime/errors.ts'
import { inLanes } from '../../runtime/in-lanes.ts'
import type { PersonIdentifier } from '../../schemas/erasure.ts'
import type { DrillPerson } from './fields.ts'

export interface RequestTimes {
  requestId: string
  state: string
  /** Milliseconds from the request to the first certificate; undefined while there is none. */
  certifiedMs: number | undefined
  receivedAt: number
  certifiedAt: number | undefined
}

/**
 * Asks for the erasure of each person, as officers do: by an address that is the user id, by one that is only a trait, by user id,
 * or by a number.
 * @returns request ids, in the people's order
 */
export async function submitErasures(
  office: PrivacyOffice,
  app: string,
  people: readonly DrillPerson[],
): Promise<string[]> {
  return await inLanes(people, 4, async (person) => {
    const wish = { app, identifiers: [identifierOf(person)], proof: 'account-session' as const }
    const { requestId } = await office.audited(
      'erase submit',
      '-',
      () => office.actions.submit(wish, 'cli:drill'),
      (submitted) => submitted.requestId,
    )
    return requestId
  })
}

function identifierOf({ index, email, phone, userId }: DrillPerson): PersonIdentifier {
  if (index % 4 === 3) return { label: 'userId', value: userId }
  return index % 8 === 1 ? { label: 'phone', value: phone } : { label: 'email', value: email }
}

export async function readRequestTimes(
  office: PrivacyOffice,
  requestIds: readonly string[],
): Promise<RequestTimes[]> {
  const rows = await office.postgres.query<{
    request_id: string
    state: string
    received_at: Date
    certified_at: Date | null
  }>(
    'drill_requests',
    'SELECT request_id, state, received_at, certified_at FROM privacy_requests WHERE request_id = ANY($1::uuid[])',
    [requestIds],
  )
  return rows.map(({ request_id, state, received_at, certified_at }) => ({
    requestId: request_id,
    state,
    receivedAt: received_at.getTime(),
    certifiedAt: certified_at?.getTime(),
    certifiedMs: certified_at ? certified_at.getTime() - received_at.getTime() : undefined,
  }))
}

/**
 * Waits until `isDone` of every request, or the time limit; says now and then how many are in which state.
 * @returns where the requests then are
 */
export async function waitForRequests(
  office: PrivacyOffice,
  requestIds: readonly string[],
  options: { isDone(times: RequestTimes): boolean; timeoutMs: number; say(line: string): void },
): Promise<RequestTimes[]> {
  const startedAt = Date.now()
  let said = ''
  let times: RequestTimes[] = []
  for (;;) {
    // A machine that stands still for some seconds breaks no promise: what was last known stays.
    times = await readRequestTimes(office, requestIds).catch((error) => {
      if (error instanceof EbbError && error.code === 'postgres_unavailable') return times
      throw error
    })
    if (times.length === requestIds.length && times.every(options.isDone)) return times
    const states = countStates(times)
    if (states !== said) options.say(`after ${((Date.now() - startedAt) / 1_000).toFixed(0)} s: ${states}`)
    said = states
    if (Date.now() - startedAt > options.timeoutMs) {
      options.say(`not done after ${(options.timeoutMs / 1_000).toFixed(0)} s: ${states}`)
      return times
    }
    await sleep(500)
  }
}

/** How fast people got their first certificates. */
export interface ErasureSpeed {
  /** From a request to its first certificate. */
  p50Ms: number
  p99Ms: number
  /** From the first request received to the last first certificate. */
  erasuresPerHour: number
}

export function readSpeed(times: readonly RequestTimes[]): ErasureSpeed {
  const took = times.flatMap(({ certifiedMs }) => certifiedMs ?? []).sort((a, b) => a - b)
  const percentile = (share: number) => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0
  const spanMs =
    Math.max(...times.map(({ certifiedAt }) => certifiedAt ?? Date.now())) -
    Math.min(...times.map((one) => one.receivedAt))
  return {
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
    erasuresPerHour: Math.round((took.length * 3_600_000) / spanMs),
  }
}

function countStates(times: readonly RequestTimes[]): string {
  const counts = new Map<string, number>()
  for (const { state } of times) counts.set(state, (counts.get(state) ?? 0) + 1)
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ')
}
