import type { StateKey, SubjectState } from './subject-states.ts'

/** States in memory at most, about 200 bytes each. */
export const MAX_STATES = 1_000_000

export interface HeldStates {
  /** Nobody needs to be looked up. */
  isEmpty(): boolean
  get(handle: Buffer): SubjectState | undefined
  /** Another number after each change. */
  version(): number
  /** @returns whether anything changed. */
  set(key: StateKey, state: SubjectState | null): boolean
  /** Forgets cutoffs that say nothing any more. */
  expire(now: number): void
  size(): number
  /** A state found no room: what is held is not all. */
  isFull(): boolean
}

/** What one source says of a handle; most handles have one. */
interface Entry {
  source: string
  state: SubjectState
  next: Entry | undefined
}

/** The states of all handles: a block goes before any cutoff, and a later cutoff before an earlier one. */
export function createHeldStates(maxStates = MAX_STATES): HeldStates {
  const entries = new Map<string, Entry>()
  let count = 0
  let version = 0
  let full = false

  /** The chain of a handle without one source. */
  const without = (entry: Entry | undefined, source: string): Entry | undefined =>
    entry === undefined || entry.source === source
      ? entry?.next
      : { ...entry, next: without(entry.next, source) }

  const put = (handle: string, chain: Entry | undefined) => {
    if (chain) entries.set(handle, chain)
    else entries.delete(handle)
  }
  return {
    isEmpty: () => entries.size === 0,
    get(handle) {
      if (entries.size === 0) return undefined
      const first = entries.get(handle.toString('latin1'))
      let strongest = first?.state
      for (let entry = first?.next; entry; entry = entry.next)
        if (isStronger(entry.state, strongest!)) strongest = entry.state
      return strongest
    },
    version: () => version,
    set({ handle, source }, state) {
      const chain = entries.get(handle)
      let known = chain
      while (known && known.source !== source) known = known.next
      if (state === null ? !known : known && isSame(known.state, state)) return false
      if (state !== null && !known && count >= maxStates) {
        full = true
        return false
      }
      const rest = known ? without(chain, source) : chain
      put(handle, state === null ? rest : { source, state, next: rest })
      count += (state === null ? 0 : 1) - (known ? 1 : 0)
      version++
      return true
    },
    expire(now) {
      for (const [handle, chain] of entries) {
        let left: Entry | undefined = chain
        for (let entry: Entry | undefined = chain; entry; entry = entry.next) {
          if (entry.state.s !== 'cutoff' || entry.state.until >= now) continue
          left = without(left, entry.source)
          count--
        }
        if (left !== chain) put(handle, left)
      }
    },
    size: () => count,
    isFull: () => full,
  }
}

function isSame(one: SubjectState, other: SubjectState): boolean {
  const until = (state: SubjectState) => (state.s === 'cutoff' ? state.until : 0)
  return one.s === other.s && one.at === other.at && until(one) === until(other)
}

function isStronger(one: SubjectState, other: SubjectState): boolean {
  if (one.s !== other.s) return one.s === 'blocked'
  return one.at > other.at
}
