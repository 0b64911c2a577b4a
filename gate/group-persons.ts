import type { DropCode } from '../schemas/reject-code.ts'
import { createIdFinder } from './find-ids.ts'
import { createKeyedHash, hashText } from './keyed-hash.ts'
import type { Link, Person } from './person.ts'
import type { RawEvent } from './read-event.ts'
import { stripFoundIds, stripOwnIds } from './strip-own-ids.ts'
import { type DraftEvent, settleDrops, type Work } from './work.ts'

/** Sorts the accepted events of a batch by the person they belong to: the user id if there is one, else the anonymous id. */
export interface Grouping {
  persons: Person[]
  /** @returns false where the message id was seen before: the event makes no second row. */
  join(raw: RawEvent, draft: DraftEvent): boolean
  /** Keeps the id of a rejected event for its person; undefined is an id that is none. */
  noteRejected(userId: string | undefined, anonymousId: string | undefined, eventId: () => string): void
  /** Takes ids of a person's other events out of each event, once all are known. */
  finish(work: Work, dropped: Map<DropCode, number>): void
}

interface Group {
  person: Person
  seen: Set<string>
  /** Links made, so that each is made once. */
  linked: Map<string, Link>
  /** The ids of the person's first event: user, anonymous, previous, device, session, order. */
  first: readonly string[]
  /** Ids that not all of the person's events have. */
  others: Set<string>
}

/** @param lookupKey the app's. */
export function createGrouping(lookupKey: Buffer): Grouping {
  const persons: Person[] = []
  const groups = new Map<string, Group>()
  const handleOf = createHandles(lookupKey)
  const rejectedIds = new Map<string, string[]>()
  let last: { userId: string; anonymousId: string; group: Group } | undefined

  function groupOf(raw: RawEvent): Group {
    // Most batches are one person's.
    if (last && last.userId === raw.userId && last.anonymousId === raw.anonymousId) return last.group
    const kind = raw.userId === '' ? 'anonymous' : 'user'
    const id = raw.userId === '' ? raw.anonymousId : raw.userId
    const key = personKey(kind, id)
    let group = groups.get(key)
    if (!group) {
      const person = { handle: handleOf(kind, id), links: [], events: [], rejectedIds: [] }
      group = { person, seen: new Set(), linked: new Map(), first: [], others: new Set() }
      groups.set(key, group)
      persons.push(person)
    }
    last = { userId: raw.userId, anonymousId: raw.anonymousId, group }
    return group
  }

  return {
    persons,
    join(raw, draft) {
      const group = groupOf(raw)
      addLinks(raw, draft.ts, group, handleOf)
      if (raw.messageId !== '') {
        if (group.seen.has(raw.messageId)) return false
        group.seen.add(raw.messageId)
      }
      noteIds(group, raw, draft)
      group.person.events.push(draft)
      return true
    },
    noteRejected(userId, anonymousId, eventId) {
      if (userId === undefined || anonymousId === undefined || userId + anonymousId === '') return
      const key = userId === '' ? personKey('anonymous', anonymousId) : personKey('user', userId)
      const ids = rejectedIds.get(key)
      if (ids) ids.push(eventId())
      else rejectedIds.set(key, [eventId()])
    },
    finish(work, dropped) {
      for (const [key, ids] of rejectedIds) {
        const group = groups.get(key)
        if (group) group.person.rejectedIds = ids
      }
      // Each event has been searched for its own ids, so those that all events share need no second look.
      for (const { person, others } of groups.values()) {
        others.delete('')
        if (others.size === 0) continue
        work.drops.fill(0)
        stripOthers(person.events, [...others], work)
        settleDrops(work, dropped)
      }
    },
  }
}

function personKey(kind: 'user' | 'anonymous', id: string): string {
  return `${kind} ${id}`
}

/** Works out each handle of a batch once. */
function createHandles(lookupKey: Buffer): HandleOf {
  const handles = new Map<string, Buffer>()
  const lookup = createKeyedHash(lookupKey)
  return (kind, id) => {
    const key = personKey(kind, id)
    let handle = handles.get(key)
    if (!handle) {
      handle = Buffer.from(hashText(lookup, kind, id), 'latin1')
      handles.set(key, handle)
    }
    return handle
  }
}

type HandleOf = (kind: 'user' | 'anonymous', id: string) => Buffer

/** The links an event asserts: the anonymous past of identify, the previous id of alias. */
function addLinks(raw: RawEvent, ts: number, group: Group, handleOf: HandleOf): void {
  if ((raw.type !== 'identify' && raw.type !== 'alias') || raw.userId === '') return
  const add = (kind: Link['kind'], fromKind: 'user' | 'anonymous', id: string, sameId?: Buffer) => {
    const key = `${kind} ${fromKind} ${id}`
    const known = group.linked.get(key)
    if (known) {
      known.firstTs = Math.min(known.firstTs, ts)
      known.lastTs = Math.max(known.lastTs, ts)
      return
    }
    const from = handleOf(fromKind, id)
    const link = { kind, from, to: group.person.handle, firstTs: ts, lastTs: ts, ...(sameId && { sameId }) }
    group.linked.set(key, link)
    group.person.links.push(link)
  }
  if (raw.anonymousId !== '') add(raw.type, 'anonymous', raw.anonymousId)
  if (raw.type === 'identify' || raw.previousId === '') return
  // Segment does not say whether a previous id was an anonymous or a user id. A link to a handle that nobody bears
  // costs nothing; a link left out would let data outlive an erasure.
  add(raw.type, 'anonymous', raw.previousId, handleOf('user', raw.previousId))
  if (raw.previousId !== raw.userId)
    add(raw.type, 'user', raw.previousId, handleOf('anonymous', raw.previousId))
}

/** Up to here a quick look for each id is cheaper than an index of them. */
const FEW_IDS = 32

function stripOthers(events: readonly DraftEvent[], ids: readonly string[], work: Work): void {
  if (ids.length <= FEW_IDS) {
    for (const draft of events) stripOwnIds(draft, ids, work)
    return
  }
  const finder = createIdFinder(ids)
  for (const draft of events) stripFoundIds(draft, finder, work)
}

function noteIds(group: Group, raw: RawEvent, draft: DraftEvent): void {
  const { first, others } = group
  if (first.length === 0) {
    group.first = [raw.userId, raw.anonymousId, raw.previousId, draft.device, draft.session, draft.orderId]
    return
  }
  noteId(first[0] as string, raw.userId, others)
  noteId(first[1] as string, raw.anonymousId, others)
  noteId(first[2] as string, raw.previousId, others)
  noteId(first[3] as string, draft.device, others)
  noteId(first[4] as string, draft.session, others)
  noteId(first[5] as string, draft.orderId, others)
}

function noteId(first: string, id: string, others: Set<string>): void {
  if (first !== id) others.add(first).add(id)
}
