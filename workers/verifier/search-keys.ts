import { TOKEN_BYTES } from '../../kafka/revocations.ts'
import { HANDLE_BYTES } from '../../kafka/subject-states.ts'
import { TOPICS } from '../../schemas/event-record.ts'
import type { Sought } from './findings.ts'
import { groupLooks } from './group-looks.ts'
import type { OnKey } from './read-keys.ts'

/** Whether a reading found keys of a person. */
export interface KeysFound {
  states: boolean
  revocations: boolean
  /** For how long readings of this process have found neither, milliseconds; 0 when this one found something. */
  goneMs: number
}

export type SearchKeys = (sought: Pick<Sought, 'requestId' | 'tokens' | 'handles'>) => Promise<KeysFound>

/** Each reading reads both topics from their beginning, in a group of its own. */
const REST_MS = 1_000
/** Requests whose first clean reading is remembered. One that is forgotten waits once more. */
const MOST_REMEMBERED = 100_000

/**
 * Searches the keys of `subject_states` and `revocations` for whatever begins with a person's handle or token, a withdrawn one's
 * tombstone included. One reading of both topics at a time, for all who ask.
 * @param readAll hands over every key of both topics. @param now milliseconds of a clock that never goes back
 */
export function createSearchKeys(
  readAll: (topics: string[], onKey: OnKey) => Promise<void>,
  now: () => number = () => performance.now(),
): SearchKeys {
  const goneSince = new Map<string, number>()

  return groupLooks(REST_MS, async (all) => {
    const startedAt = now()
    const handles = indexOf(all, 'handles')
    const tokens = indexOf(all, 'tokens')
    const states = new Set<string>()
    const revocations = new Set<string>()
    await readAll([TOPICS.subjectStates, TOPICS.revocations], (topic, key) => {
      // Both are sought in both: neither topic may hold either.
      const seekers = [...startOf(handles, key, HANDLE_BYTES), ...startOf(tokens, key, TOKEN_BYTES)]
      for (const id of seekers) (topic === TOPICS.subjectStates ? states : revocations).add(id)
    })
    return all.map(({ requestId }) => {
      const found = { states: states.has(requestId), revocations: revocations.has(requestId) }
      if (found.states || found.revocations) {
        goneSince.delete(requestId)
        return { ...found, goneMs: 0 }
      }
      const since = goneSince.get(requestId) ?? startedAt
      goneSince.set(requestId, since)
      if (goneSince.size > MOST_REMEMBERED) goneSince.delete(goneSince.keys().next().value!)
      return { ...found, goneMs: startedAt - since }
    })
  })
}

/** Ids of the requests that seek a name, by the name's bytes as latin1. */
function indexOf(
  all: readonly Pick<Sought, 'requestId' | 'tokens' | 'handles'>[],
  kind: 'tokens' | 'handles',
): Map<string, string[]> {
  const seekers = new Map<string, string[]>()
  for (const one of all) {
    for (const name of one[kind]) {
      const bytes = Buffer.from(name, 'hex').toString('latin1')
      seekers.set(bytes, [...(seekers.get(bytes) ?? []), one.requestId])
    }
  }
  return seekers
}

function startOf(seekers: ReadonlyMap<string, string[]>, key: Buffer, bytes: number): readonly string[] {
  return key.length < bytes ? [] : (seekers.get(key.toString('latin1', 0, bytes)) ?? [])
}
