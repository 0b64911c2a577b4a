import type { DropCode } from '../schemas/reject-code.ts'
import type { Link, Person } from './admit.ts'
import { createKeyedHash } from './keyed-hash.ts'
import type { RawEvent } from './read-event.ts'
import { stripOwnIds } from './strip-own-ids.ts'
import { type DraftEvent, settleDrops, type Work } from './work.ts'

/** Sorts the accepted events of a batch by the person they belong to: the user id if there is one, else the anonymous id. */
export interface Grouping {
  persons: Person[]
  /** @returns false where the message id was seen before: the event makes no second row. */
  join(raw: RawEvent, draft: DraftEvent): boolean
  /** Takes ids of a person's other events out of each event, once all are known. */
  finish(work: Work, dropped: Map<DropCode, number>): void
}

interface Group {
  person: Person
  seen: Set<string>
  /** Ids of the person, its devices, sessions and orders, as sent, and the number of events that each stands in. */
  ids: Map<string, number>
}

/** @param lookupKey the app's. */
export function createGrouping(lookupKey: Buffer): Grouping {
  const persons: Person[] = []
  const groups = new Map<string, Group>()
  const handles = new Map<string, Buffer>()
  const lookup = createKeyedHash(lookupKey)

  function handleOf(kind: 'user' | 'anonymous', id: string): Buffer {
    const key = `${kind} ${id}`
    let handle = handles.get(key)
    if (!handle) {
      handle = Buffer.from(lookup.latin1(kind, id), 'latin1')
      handles.set(key, handle)
    }
    return handle
  }

  function groupOf(raw: RawEvent): Group {
    const key = raw.userId === '' ? `anonymous ${raw.anonymousId}` : `user ${raw.userId}`
    let group = groups.get(key)
    if (!group) {
      const handle = raw.userId === '' ? handleOf('anonymous', raw.anonymousId) : handleOf('user', raw.userId)
      group = { person: { handle, links: [], events: [] }, seen: new Set(), ids: new Map() }
      groups.set(key, group)
      persons.push(group.person)
    }
    return group
  }

  /** The links an event asserts: the anonymous past of identify, the previous id of alias. */
  function addLinks(raw: RawEvent, links: Link[]): void {
    if ((raw.type !== 'identify' && raw.type !== 'alias') || raw.userId === '') return
    const kind = raw.type
    const to = handleOf('user', raw.userId)
    const add = (from: Buffer) => {
      if (from !== to && !links.some((link) => link.kind === kind && link.from === from))
        links.push({ kind, from, to })
    }
    if (raw.anonymousId !== '') add(handleOf('anonymous', raw.anonymousId))
    if (kind === 'identify' || raw.previousId === '') return
    // Segment does not say whether a previous id was an anonymous or a user id. A link to a handle that nobody bears
    // costs nothing; a link left out would let data outlive an erasure.
    add(handleOf('anonymous', raw.previousId))
    add(handleOf('user', raw.previousId))
  }

  return {
    persons,
    join(raw, draft) {
      const group = groupOf(raw)
      addLinks(raw, group.person.links)
      if (raw.messageId !== '') {
        if (group.seen.has(raw.messageId)) return false
        group.seen.add(raw.messageId)
      }
      const { ids } = group
      count(ids, raw.userId)
      count(ids, raw.anonymousId)
      count(ids, raw.previousId)
      count(ids, draft.device)
      count(ids, draft.session)
      count(ids, draft.orderId)
      group.person.events.push(draft)
      return true
    },
    finish(work, dropped) {
      for (const { person, ids } of groups.values()) {
        const { events } = person
        // Each event has been searched for its own ids, so those that all events share need no second look.
        const others = [...ids.keys()].filter((id) => id !== '' && (ids.get(id) as number) < events.length)
        if (others.length === 0 || others.length > MAX_OTHER_IDS) continue
        work.drops.fill(0)
        for (const draft of events) stripOwnIds(draft, others, work)
        settleDrops(work, dropped)
      }
    },
  }
}

function count(ids: Map<string, number>, id: string): void {
  ids.set(id, (ids.get(id) ?? 0) + 1)
}

/** Above this a person's events are searched for their own ids only, or the work would grow with the square of the batch. */
const MAX_OTHER_IDS = 32
