import type { StateKey, SubjectState } from './subject-states.ts'

/** States in memory at most, about 150 bytes each. */
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

/** The states of all handles: what erasures say, and cutoffs that late links say. */
export function createHeldStates(maxStates = MAX_STATES): HeldStates {
  const said = new Map<string, SubjectState>()
  const linked = new Map<string, SubjectState>()
  let version = 0
  let full = false
  return {
    isEmpty: () => said.size === 0 && linked.size === 0,
    get(handle) {
      if (said.size === 0 && linked.size === 0) return undefined
      const key = handle.toString('latin1')
      return strongest(said.get(key), linked.get(key))
    },
    version: () => version,
    set(key, state) {
      const states = key.linked ? linked : said
      const known = states.get(key.handle)
      if (state === null ? known === undefined : isSame(known, state)) return false
      if (state !== null && known === undefined && said.size + linked.size >= maxStates) {
        full = true
        return false
      }
      if (state === null) states.delete(key.handle)
      else states.set(key.handle, state)
      version++
      return true
    },
    expire(now) {
      for (const states of [said, linked]) {
        for (const [key, state] of states) if (state.s === 'cutoff' && state.until < now) states.delete(key)
      }
    },
    size: () => said.size + linked.size,
    isFull: () => full,
  }
}

function isSame(known: SubjectState | undefined, state: SubjectState): boolean {
  return (
    known !== undefined &&
    known.s === state.s &&
    known.at === state.at &&
    (known.s !== 'cutoff' || state.s !== 'cutoff' || known.until === state.until)
  )
}

/** A block before any cutoff, then the later cutoff. */
function strongest(
  said: SubjectState | undefined,
  linked: SubjectState | undefined,
): SubjectState | undefined {
  if (!said || !linked || said.s === 'blocked') return said ?? linked
  return linked.s === 'blocked' || linked.at > said.at ? linked : said
}
