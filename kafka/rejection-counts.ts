import type { Rejection } from '../schemas/event-record.ts'

/** Distinct (app, code, event) kept between two flushes; beyond them the event name and then the app are given up. */
const MAX_KEYS = 10_000

export interface RejectionCounts {
  add(rejection: Rejection): void
  /** Empties the counts. `at` is the latest of those summed. */
  take(): Rejection[]
}

/** Sums rejections in bounded memory: codes are a closed list, so (code) alone always finds room. */
export function createRejectionCounts(maxKeys = MAX_KEYS): RejectionCounts {
  let counts = new Map<string, Rejection>()
  const add = (rejection: Rejection) => {
    const candidates = [rejection, { ...rejection, event: '' }, { ...rejection, event: '', app: '' }]
    for (const [index, candidate] of candidates.entries()) {
      const key = `${candidate.app}\n${candidate.code}\n${candidate.event}`
      const known = counts.get(key)
      if (known) {
        known.count += candidate.count
        known.at = Math.max(known.at, candidate.at)
        return
      }
      if (counts.size < maxKeys || index === candidates.length - 1) {
        counts.set(key, { ...candidate })
        return
      }
    }
  }
  return {
    add,
    take() {
      const taken = [...counts.values()]
      counts = new Map()
      return taken
    },
  }
}
