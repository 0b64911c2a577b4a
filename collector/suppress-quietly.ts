import { setTimeout as sleep } from 'node:timers/promises'
import { createRecentMap } from '../postgres/recent-map.ts'
import type { SubjectResolver } from '../postgres/resolve-subjects.ts'

/** Times of the last acknowledgements, to draw from. */
const SAMPLES = 64
/** Until one was measured, milliseconds. */
const FIRST_ACK_MS = 3
const CAPACITY = 100_000

/** Makes an answer about people of whom nothing is stored take as long as one about people of whom something is. */
export interface QuietAnswers {
  /** How long Kafka took to acknowledge, milliseconds. */
  note(ackMs: number): void
  /**
   * The first time a handle comes it is looked up, like anyone who is not in memory; then, and later at once, a time
   * passes that Kafka took for others.
   * @returns whether someone was looked up. @throws EbbError `subjects_unavailable` as for anyone
   */
  spend(handles: readonly Buffer[]): Promise<boolean>
  /** The next time is a first time again. */
  forget(handle: Buffer): void
}

export function createQuietAnswers(subjects: Pick<SubjectResolver, 'glance'>): QuietAnswers {
  const acks = new Float64Array(SAMPLES).fill(FIRST_ACK_MS)
  let next = 0
  const seen = createRecentMap<true>(CAPACITY)
  return {
    note(ackMs) {
      acks[next] = ackMs
      next = (next + 1) % SAMPLES
    },
    async spend(handles) {
      const strangers = handles.filter((handle) => !seen.get(handle.toString('latin1')))
      if (strangers.length > 0) await subjects.glance(strangers)
      for (const handle of strangers) seen.set(handle.toString('latin1'), true)
      await sleep(acks[Math.floor(Math.random() * SAMPLES)])
      return strangers.length > 0
    },
    forget: (handle) => seen.delete(handle.toString('latin1')),
  }
}
