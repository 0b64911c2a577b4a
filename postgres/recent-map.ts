export interface RecentMap<Value> {
  get(key: string): Value | undefined
  set(key: string, value: Value): void
  delete(key: string): void
  size(): number
}

/**
 * A map that forgets what was not asked for lately. Two generations instead of a strict LRU list: an entry that is read
 * moves to the young one, and when that is full the old one is let go, so a hit costs one look-up and no relinking.
 * @param capacity entries at most; at least half as many of the latest stay.
 */
export function createRecentMap<Value>(capacity: number): RecentMap<Value> {
  const half = Math.max(1, Math.floor(capacity / 2))
  let young = new Map<string, Value>()
  let old = new Map<string, Value>()
  const set = (key: string, value: Value) => {
    young.set(key, value)
    if (young.size < half) return
    old = young
    young = new Map()
  }
  return {
    get(key) {
      const value = young.get(key)
      if (value !== undefined) return value
      const aged = old.get(key)
      if (aged !== undefined) {
        old.delete(key)
        set(key, aged)
      }
      return aged
    },
    set,
    delete(key) {
      young.delete(key)
      old.delete(key)
    },
    size: () => young.size + old.size,
  }
}
