import type { Admitted } from '../gate/admit.ts'
import type { AppRules } from '../gate/admit-context.ts'
import { DEFAULT_MAX_AGE_DAYS } from '../gate/admit-event.ts'
import type { Person } from '../gate/person.ts'
import { readProfile } from '../gate/read-profile.ts'
import type { SubjectKeys } from '../gate/subject-keys.ts'
import { tokenise } from '../gate/tokenise.ts'
import type { EventProducer } from '../kafka/event-producer.ts'
import type { SubjectStates } from '../kafka/follow-subject-states.ts'
import type { SubjectResolver } from '../postgres/resolve-subjects.ts'
import type { LinkWriter } from '../postgres/subject-links.ts'
import type { ProfileWriter } from '../postgres/write-profiles.ts'
import { faultPoint } from '../runtime/fault.ts'
import type { EventRecord } from '../schemas/event-record.ts'
import { collectorError } from './error.ts'
import { type Sifted, type SiftRules, sift } from './suppress.ts'
import type { QuietAnswers } from './suppress-quietly.ts'

export interface StoreDeps {
  subjects: SubjectResolver
  links: LinkWriter
  profiles: ProfileWriter
  producer: EventProducer
  /** What erasures say of people. */
  states: SubjectStates
  quiet: QuietAnswers
  /** Keeps and publishes that a handle is a suppressed person's, too; durable when it resolves. */
  noteLate(app: string, late: Sifted['concluded']): Promise<void>
  /** How long a cutoff that follows from a block says something; undefined: the app's greatest age of events. Milliseconds. */
  suppressMs: number | undefined
  /** Milliseconds since 1970. */
  now(): number
  /** Milliseconds that Kafka gets for its ack before the client is told to come again. */
  ackTimeoutMs: number
  /** Milliseconds below which a request with a person not in the cache is not answered. */
  missFloorMs: number
}

/** How often a request begins again when people's states change under it. */
const SIFT_TRIES = 10

export async function storeEvents(
  deps: StoreDeps,
  rules: AppRules,
  admitted: Admitted,
  receivedAt: number,
): Promise<void> {
  const { states } = deps
  for (let tries = 0; tries < SIFT_TRIES; tries++) {
    // 4. Who is being erased, or was and sends of before: of them nothing goes on, and the answer stays as it is.
    if (!states.isFresh()) break
    const { persons, suppressed, concluded } = sift(admitted.persons, siftRules(deps, rules))
    if (concluded.length > 0) {
      await deps.noteLate(rules.app, concluded)
      continue
    }
    const isUnchanged = watchStates(states, admitted.persons)

    // 5. Each person's keys, durable before the first event under them is produced.
    const looked = deps.subjects.resolve(handlesOfPersons(persons), rules.app)
    const keys = Array.isArray(looked) ? looked : await looked
    const profiled = writeProfiles(deps, persons, keys, rules.app)
    if (profiled !== undefined) await profiled

    // Nothing is waited for between this look and the producer, and what does not leave in time, as in a process that
    // stands still, never leaves: the time is taken before the look.
    const expiresAt = performance.now() + deps.ackTimeoutMs
    if (!states.isFresh()) break
    if (!isUnchanged()) continue
    const isCached = keys === looked && profiled === undefined
    return send(deps, {
      app: rules.app,
      admitted,
      persons,
      keys,
      suppressed,
      isCached,
      receivedAt,
      expiresAt,
    })
  }
  throw collectorError('states_unavailable')
}

/** @returns a look whether anything is said of these people, or of whom they are linked with, that was not said before. */
function watchStates(states: StoreDeps['states'], persons: readonly Person[]): () => boolean {
  const version = states.version()
  const before = states.isEmpty() ? undefined : handlesOf(persons).map(states.get)
  return () =>
    states.version() === version ||
    handlesOf(persons).every((handle, index) => states.get(handle) === before?.[index])
}

const DAY_MS = 86_400_000

function siftRules({ states, suppressMs }: StoreDeps, { maxAgeDays }: AppRules): SiftRules {
  if (states.isEmpty()) return NOBODY_SUPPRESSED
  return {
    isEmpty: states.isEmpty,
    get: states.get,
    suppressMs: suppressMs ?? (maxAgeDays ?? DEFAULT_MAX_AGE_DAYS) * DAY_MS,
  }
}

const NOBODY_SUPPRESSED: SiftRules = { isEmpty: () => true, get: () => undefined, suppressMs: 0 }

interface Ready {
  app: string
  admitted: Admitted
  persons: readonly Person[]
  keys: readonly SubjectKeys[]
  suppressed: readonly Buffer[]
  /** All keys were in memory. */
  isCached: boolean
  receivedAt: number
  /** By performance.now(). */
  expiresAt: number
}

function send(deps: StoreDeps, ready: Ready): Promise<void> {
  const { app, persons, keys, suppressed, receivedAt } = ready
  // 6. Identity ends here: from now on there are only tokens and keyed hashes.
  const records: EventRecord[] = []
  for (const [index, person] of persons.entries()) {
    records.push(tokenise(person, keys[index]!, ready.admitted.stamp))
  }
  faultPoint('collector.before-produce')

  // 7. Links, with whom only they name, to disk and records to every in-sync replica, side by side; the acknowledgement waits for both.
  const links = persons.flatMap((person) => person.links)
  const linked = links.length > 0 ? deps.links.write(links, app) : undefined
  const produced =
    records.length > 0
      ? withinMs(deps.producer.send(records, ready.expiresAt), deps.ackTimeoutMs, deps.quiet.note)
      : undefined
  if (produced && ready.isCached && linked === undefined && suppressed.length === 0) return produced
  return settle(deps, [produced, linked], ready.isCached && linked === undefined, suppressed, receivedAt)
}

/** Waits for all that is under way, and for as long as a request takes of which something is stored. */
async function settle(
  deps: StoreDeps,
  underWay: (Promise<void> | undefined)[],
  isCached: boolean,
  suppressed: readonly Buffer[],
  receivedAt: number,
): Promise<void> {
  const spent = suppressed.length > 0 ? deps.quiet.spend(suppressed) : undefined
  const [lookedUp] = await Promise.all([spent, ...underWay])
  if (!isCached || lookedUp) await reach(receivedAt + deps.missFloorMs, deps.now)
}

/** Profiles of those who identified themselves; undefined where nobody has anything new. */
function writeProfiles(
  deps: StoreDeps,
  persons: readonly Person[],
  keys: readonly SubjectKeys[],
  app: string,
): Promise<unknown> | undefined {
  let writes: Promise<void>[] | undefined
  for (const [index, person] of persons.entries()) {
    const profile = readProfile(person.events)
    if (!profile) continue
    const written = deps.profiles.write({ handle: person.handle, app, token: keys[index]!.token, ...profile })
    if (written === undefined) continue
    writes ??= []
    writes.push(written)
  }
  return writes && Promise.all(writes)
}

const handlesOfPersons = (persons: readonly Person[]): Buffer[] => persons.map((person) => person.handle)

/** Handles of the persons, and of whom their links name. */
function handlesOf(persons: readonly Person[]): Buffer[] {
  const handles = handlesOfPersons(persons)
  for (const person of persons) {
    for (const link of person.links) handles.push(link.from, link.to)
  }
  return handles
}

/**
 * Waits until a moment. A new person costs two commits more than one that another request made: answering neither sooner
 * than this hides which it was.
 */
function reach(moment: number, now: () => number): Promise<void> | undefined {
  const left = moment - now()
  return left > 0 ? new Promise((resolve) => setTimeout(resolve, left)) : undefined
}

/** @throws EbbError `events_unavailable` when the records are not acknowledged, by when they still may be. */
function withinMs(sent: Promise<void>, timeoutMs: number, note: (ackMs: number) => void): Promise<void> {
  const sentAt = performance.now()
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(collectorError('events_unavailable')), timeoutMs)
    sent.then(
      () => {
        clearTimeout(timer)
        note(performance.now() - sentAt)
        resolve()
      },
      (cause) => {
        clearTimeout(timer)
        reject(collectorError('events_unavailable', cause))
      },
    )
  })
}
