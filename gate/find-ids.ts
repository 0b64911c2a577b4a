import { normalise } from './normalise-id.ts'

/** An id of this length or more is looked for inside of texts; a shorter one ("42", "anna") only as a whole value. */
export const MIN_CONTAINED = 6
/** From this many ids on an index is faster than looking for one after the other. */
const INDEX_FROM = 32
/** Lengths that ids with one beginning may have; real ids of one kind have one or two. */
const MAX_LENGTHS = 16

/** Finds a set of ids in texts, as sent and with percent-encoding, case and compatibility forms undone on both sides. */
export interface IdFinder {
  /** Does the text hold one of the ids, or is it a short one? */
  holds(text: string): boolean
  /** The same of the long ids alone: a quantity of 2 is no leak of user "2". */
  holdsLong(text: string): boolean
  /** Quick look at a text in lower case. Never false where it holds an id as sent, in any case. */
  glance(text: string): boolean
  /** Are there short ids, which no glance finds? */
  hasShort: boolean
  /** Are there ids with a space, which a text may hold as `+` or `%20`? No glance finds those either. */
  hasSpaced: boolean
}

/** @param sent ids as the client wrote them; '' stands for none. */
export function createIdFinder(sent: readonly string[]): IdFinder {
  const short = new Set<string>()
  const long = new Set<string>()
  for (const id of sent) {
    if (id === '') continue
    for (const form of [id, normalise(id)]) {
      if (form !== '') (form.length < MIN_CONTAINED ? short : long).add(form)
    }
  }
  const glance = long.size < INDEX_FROM ? lookForEach([...long]) : lookInIndex(long)
  const both = (text: string, find: (text: string) => boolean) => {
    if (text === '') return false
    if (find(text)) return true
    const normal = normalise(text)
    return normal !== text && find(normal)
  }
  return {
    holds: (text) => both(text, (form) => short.has(form) || glance(form)),
    holdsLong: (text) => both(text, glance),
    glance,
    hasShort: short.size > 0,
    hasSpaced: [...long].some((id) => id.includes(' ')),
  }
}

function lookForEach(ids: readonly string[]): (text: string) => boolean {
  return (text) => ids.some((id) => text.includes(id))
}

interface Bucket {
  lengths: Set<number>
  ids: Set<string>
}

/**
 * Ids by their first characters, so that the work grows with the text and not with the number of ids: a batch of 5,000
 * events with an id each would else cost the square of that. Where ids of many lengths begin alike, which only happens on
 * purpose, their beginning alone counts as found.
 */
function lookInIndex(ids: ReadonlySet<string>): (text: string) => boolean {
  const buckets = new Map<string, Bucket>()
  for (const id of ids) {
    const start = id.slice(0, MIN_CONTAINED)
    const bucket = buckets.get(start) ?? { lengths: new Set(), ids: new Set() }
    bucket.lengths.add(id.length)
    bucket.ids.add(id)
    buckets.set(start, bucket)
  }
  return (text) => {
    for (let i = 0; i + MIN_CONTAINED <= text.length; i++) {
      const bucket = buckets.get(text.slice(i, i + MIN_CONTAINED))
      if (bucket === undefined) continue
      if (bucket.lengths.size > MAX_LENGTHS) return true
      for (const length of bucket.lengths) if (bucket.ids.has(text.slice(i, i + length))) return true
    }
    return false
  }
}
