import type { EventRecord } from '../schemas/event-record.ts'
import { ROW_FORMAT } from '../schemas/event-row.ts'
import type { BatchStamp } from './admit.ts'
import { createKeyedHash, hashBytes, hashText, type KeyedHash } from './keyed-hash.ts'
import type { Person } from './person.ts'
import { createRowWriter, type RowWriter } from './row-binary.ts'
import type { SubjectKeys } from './subject-keys.ts'
import type { DraftEvent } from './work.ts'

/** Memory that calls share, so that each need not ask for its own; nothing in it outlives a call. */
const writer = createRowWriter()

/**
 * Turns one person's admitted events into the record that goes to Kafka: ids become keyed hashes under the subject's own
 * key, rows become RowBinary. Pure: same input, same record.
 * @param stamp `Admitted.stamp` of the batch.
 */
export function tokenise(person: Person, keys: SubjectKeys, stamp: BatchStamp): EventRecord {
  const keyed = createKeyedHash(keys.idKey)
  const { events } = person
  const eventIds: string[] = []
  const recent = { device: '', deviceHash: '', session: '', sessionHash: '' }
  writer.reset()
  for (const draft of events) {
    const eventId = hashText(keyed, 'message', draft.messageId).slice(0, 8)
    eventIds.push(eventId)
    if (draft.device !== recent.device) {
      recent.device = draft.device
      recent.deviceHash = draft.device === '' ? '' : hashText(keyed, 'device', draft.device)
    }
    if (draft.session !== recent.session) {
      recent.session = draft.session
      recent.sessionHash = draft.session === '' ? '' : hashText(keyed, 'session', draft.session)
    }
    writer.string(stamp.app)
    writer.string(draft.event)
    writer.int64(draft.ts)
    writer.int64(stamp.receivedAt)
    writer.fixed(keys.token)
    writer.hash64(recent.sessionHash)
    writer.hash64(recent.deviceHash)
    writer.hash64(eventId)
    writer.hash64(draft.orderId === '' ? '' : hashText(keyed, 'order', draft.orderId))
    writeContent(draft, keyed, writer)
  }
  for (const id of person.rejectedIds) eventIds.push(hashText(keyed, 'message', id).slice(0, 8))
  return {
    subject: keys.token,
    rows: writer.take(),
    app: stamp.app,
    batch: batchKey(keyed, stamp, eventIds),
    count: events.length,
    format: ROW_FORMAT,
  }
}

function writeContent(draft: DraftEvent, keyed: KeyedHash, rows: RowWriter): void {
  rows.string(draft.path)
  rows.string(draft.element)
  rows.string(draft.product)
  rows.int64(draft.revenue)
  rows.string(draft.currency)
  rows.string(draft.ids ? withHashedIds(draft, draft.ids, keyed) : draft.props)
}

function withHashedIds(
  draft: DraftEvent,
  ids: readonly { name: string; value: string }[],
  keyed: KeyedHash,
): string {
  const props = JSON.parse(draft.props) as Record<string, unknown>
  for (const { name, value } of ids) {
    props[name] = Buffer.from(hashText(keyed, `id:${name}`, value).slice(0, 8), 'latin1').toString('hex')
  }
  return JSON.stringify(props)
}

/**
 * What a client's retry has in common with the first try, 16 bytes: the batch id, or else the ids of the person's events in
 * any order, as they were sent. What became of them is no part of it: one that was just young enough may be too old when it
 * comes again, and the others must not count twice for that.
 * Keyed by the subject's own key, since the batch ids of clients could be joined with other systems' logs.
 */
function batchKey(keyed: KeyedHash, stamp: BatchStamp, eventIds: readonly string[]): Buffer {
  const name =
    stamp.batchId === ''
      ? hashBytes(keyed, 'batch', Buffer.from([...new Set(eventIds)].sort().join(''), 'latin1'))
      : hashText(keyed, 'batch-id', stamp.batchId)
  return Buffer.from(name.slice(0, 16), 'latin1')
}
