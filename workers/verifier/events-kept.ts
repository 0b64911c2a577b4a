import { groupLooks } from './group-looks.ts'

/** Offsets of `events` by partition: the oldest record kept, and the first that came after a moment (milliseconds since 1970). */
export type ReadEventsKept = (afterMs: number) => Promise<{ low: number; firstAfter: number }[]>

/** Whether Kafka has a record of `events` of before this moment. */
export type HasEventsBefore = (ms: number) => Promise<boolean>

const REST_MS = 1_000

/** What is kept of before a moment is also of before every later one: some questions to Kafka answer those of a thousand requests. */
export function createHasEventsBefore(read: ReadEventsKept): HasEventsBefore {
  return groupLooks(REST_MS, async (moments) => {
    const sorted = [...new Set(moments)].sort((a, b) => a - b)
    let from = 0
    let to = sorted.length
    while (from < to) {
      const middle = Math.floor((from + to) / 2)
      const kept = (await read(sorted[middle]!)).some(({ low, firstAfter }) => low < firstAfter)
      if (kept) to = middle
      else from = middle + 1
    }
    const first = sorted[from] ?? Number.POSITIVE_INFINITY
    return moments.map((moment) => moment >= first)
  })
}
