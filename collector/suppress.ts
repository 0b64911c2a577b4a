import type { Link, Person } from '../gate/person.ts'
import type { SubjectState } from '../kafka/subject-states.ts'

export interface Sifted {
  /** Who goes on, with the events and links that may. The very array that came in where nobody is suppressed. */
  persons: readonly Person[]
  /** Handles of those of whom nothing goes on, and of those that a refused link names; and for each such link one that stands for it. */
  suppressed: readonly Buffer[]
  /** Other ids of suppressed people, as links of before their cutoff say: suppressed from now on, too. */
  concluded: readonly { handle: Buffer; state: Cutoff }[]
}

export type Cutoff = SubjectState & { s: 'cutoff' }

export interface SiftRules {
  isEmpty(): boolean
  get(handle: Buffer): SubjectState | undefined
  /** How long after its moment a cutoff says something, milliseconds: the greatest age of an event. */
  suppressMs: number
}

const NOBODY: readonly never[] = []

/**
 * Takes out of an admitted batch what must not be stored: events of blocked people, and of others those up to their
 * cutoff. What was counted and answered stays as it is, so that nobody learns of it.
 *
 * A link that was asserted before the cutoff of one of its ends says that the other end is the same person of then: the
 * other end gets the same cutoff, and with it, perhaps, the ends of its own links in the batch.
 */
export function sift(persons: readonly Person[], rules: SiftRules): Sifted {
  if (rules.isEmpty()) return { persons, suppressed: NOBODY, concluded: NOBODY }
  const concluded = new Map<string, { handle: Buffer; state: Cutoff }>()
  const stateOf = (handle: Buffer): SubjectState | undefined =>
    concluded.get(handle.toString('latin1'))?.state ?? rules.get(handle)
  if (!persons.some((person) => isNamed(person, stateOf)))
    return { persons, suppressed: NOBODY, concluded: NOBODY }

  while (persons.some(({ links }) => links.some((link) => conclude(link, stateOf, rules, concluded))));
  const left: Person[] = []
  const suppressed: Buffer[] = []
  for (const person of persons) {
    const kept = keep(person, stateOf)
    for (const link of person.links) {
      if (kept?.links.includes(link)) continue
      for (const end of [link.from, link.to]) if (stateOf(end)) suppressed.push(end)
      suppressed.push(pairOf(link))
    }
    if (kept) left.push(kept)
    else suppressed.push(person.handle)
  }
  return { persons: left, suppressed, concluded: [...concluded.values()] }
}

type StateOf = (handle: Buffer) => SubjectState | undefined

function isNamed(person: Person, stateOf: StateOf): boolean {
  return stateOf(person.handle) !== undefined || person.links.some((link) => endsOf(link).some(stateOf))
}

/** @returns whether the link says something new. */
function conclude(
  link: Link,
  stateOf: StateOf,
  rules: SiftRules,
  concluded: Map<string, { handle: Buffer; state: Cutoff }>,
): boolean {
  for (const [end, other] of [
    [link.from, link.to],
    [link.to, link.from],
  ] as const) {
    const state = stateOf(end)
    if (!state || link.firstTs > state.at) continue
    const known = stateOf(other)
    // A link of before the other's own cutoff speaks of who they were then, and that one is erased already.
    if (known?.s === 'blocked' || (known && known.at >= Math.min(state.at, link.lastTs))) continue
    const until = state.s === 'cutoff' ? state.until : state.at + rules.suppressMs
    concluded.set(other.toString('latin1'), { handle: other, state: { s: 'cutoff', at: state.at, until } })
    return true
  }
  return false
}

/** What of a person goes on, undefined for nothing. */
function keep(person: Person, stateOf: StateOf): Person | undefined {
  const state = stateOf(person.handle)
  if (state?.s === 'blocked') return undefined
  const events = state ? person.events.filter(({ ts }) => ts > state.at) : person.events
  if (events.length === 0) return undefined
  const links = person.links.filter((link) => endsOf(link).every((end) => mayLink(link, stateOf(end))))
  return { ...person, events, links }
}

/** 32 bytes that stand for a link: a new one costs a commit, so that one which is refused must be as slow the first time. */
function pairOf({ from, to }: Link): Buffer {
  return Buffer.from(from.map((byte, at) => byte ^ to[at]!))
}

const endsOf = ({ from, to, sameId }: Link) => (sameId ? [from, to, sameId] : [from, to])

function mayLink(link: Link, state: SubjectState | undefined): boolean {
  return state === undefined || (state.s === 'cutoff' && link.lastTs > state.at)
}
