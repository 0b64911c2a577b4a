import { createRecentMap } from '../postgres/recent-map.ts'

export interface RateLimit {
  /** Takes one from the bucket of `key` and says whether there was one. */
  take(key: string): boolean
}

interface Bucket {
  left: number
  /** Milliseconds since 1970. */
  filledAt: number
}

/**
 * A token bucket for each key, full at first: `perMinute` at once, and as many a minute after that. Buckets are bounded: one
 * that was not asked for lately is forgotten, by when it is full again or a flood of addresses has pushed it out.
 */
export function createRateLimit(options: {
  perMinute: number
  keys?: number
  now?: () => number
}): RateLimit {
  const now = options.now ?? Date.now
  const buckets = createRecentMap<Bucket>(options.keys ?? 20_000)
  return {
    take(key) {
      const at = now()
      const bucket = buckets.get(key) ?? { left: options.perMinute, filledAt: at }
      const gained = ((at - bucket.filledAt) * options.perMinute) / 60_000
      bucket.left = Math.min(options.perMinute, bucket.left + gained)
      bucket.filledAt = at
      const granted = bucket.left >= 1
      if (granted) bucket.left -= 1
      buckets.set(key, bucket)
      return granted
    },
  }
}
