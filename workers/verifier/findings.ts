import { EbbError } from '../../runtime/errors.ts'
import type { Survivors } from '../../schemas/erasure.ts'
import type { OpenRequest } from './observation.ts'

/** What may name a person in a store: whatever the verifier has seen, and whatever the eraser says that it has. */
export interface Sought {
  requestId: string
  /** Hex. */
  tokens: Set<string>
  subjectIds: Set<string>
  /** Hex. */
  handles: Set<string>
}

export function soughtOf({ requestId, observed, sealed }: OpenRequest): Sought {
  return {
    requestId,
    tokens: new Set([...(observed?.subjects ?? []), ...sealed.subjects].map((one) => one.token)),
    subjectIds: new Set([
      ...(observed?.subjects ?? []).map((one) => one.subjectId),
      ...(observed?.keyless ?? []),
      ...sealed.subjects.map((one) => one.subjectId),
    ]),
    handles: new Set([...(observed?.handles ?? []), ...sealed.handles]),
  }
}

/** Collects what was found, by request and store. */
export interface Findings {
  add(requestId: string, store: string, count: number): void
  /** For every one of the requests that seeks this name. */
  addFor(kind: 'tokens' | 'subjectIds' | 'handles', name: string, store: string, count: number): void
  of(requestId: string): Survivors
}

export function createFindings(sought: readonly Sought[]): Findings {
  const counts = new Map<string, Map<string, number>>()
  const seekers = new Map<string, string[]>()
  for (const one of sought) {
    for (const kind of ['tokens', 'subjectIds', 'handles'] as const) {
      for (const name of one[kind]) {
        const key = `${kind} ${name}`
        seekers.set(key, [...(seekers.get(key) ?? []), one.requestId])
      }
    }
  }
  const add = (requestId: string, store: string, count: number) => {
    if (count === 0) return
    const own = counts.get(requestId) ?? new Map<string, number>()
    own.set(store, (own.get(store) ?? 0) + count)
    counts.set(requestId, own)
  }
  return {
    add,
    addFor(kind, name, store, count) {
      for (const requestId of seekers.get(`${kind} ${name}`) ?? []) add(requestId, store, count)
    },
    of: (requestId) => ({
      found: [...(counts.get(requestId) ?? [])].map(([store, count]) => ({ store, count })),
    }),
  }
}

/** @throws EbbError `survivors_found` */
export function requireNothing({ found }: Survivors): void {
  if (found.length === 0) return
  const stores = found.map(({ store, count }) => `${store}: ${count}`).join(', ')
  throw new EbbError('survivors_found', `the verifier's last look found something: ${stores}`)
}

/** All names of one kind, each once. */
export function namesOf(sought: readonly Sought[], kind: 'tokens' | 'subjectIds' | 'handles'): string[] {
  return [...new Set(sought.flatMap((one) => [...one[kind]]))]
}

const FIRST_PAUSE_MS = 150
const LAST_PAUSE_MS = 1_000

/** Asks again until it is true, since what goes by itself goes within seconds. @returns the last answer. */
export async function waitFor(timeoutMs: number, isSo: () => Promise<boolean>): Promise<boolean> {
  // A look is asked again by its saga: patience here only spares a round.
  const end = performance.now() + timeoutMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LAST_PAUSE_MS, pauseMs * 1.5)) {
    if (await isSo()) return true
    if (performance.now() > end) return false
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

/**
 * Counts what is left of each request until each was seen once without any: one such moment is enough, since what others' batches
 * leave after it was never theirs. @param countLeft of those that still wait, by request id
 * @returns the last counts; whoever was seen without any is missing or 0
 */
export async function waitForEach<One extends { requestId: string }>(
  all: readonly One[],
  timeoutMs: number,
  countLeft: (waiting: readonly One[]) => Promise<Map<string, number>>,
): Promise<Map<string, number>> {
  let waiting = all
  let left = new Map<string, number>()
  await waitFor(timeoutMs, async () => {
    left = await countLeft(waiting)
    waiting = waiting.filter(({ requestId }) => left.get(requestId) !== 0)
    return waiting.length === 0
  })
  return left
}
