import type { RejectCode } from '../schemas/reject-code.ts'
import type { SegmentCall } from '../schemas/segment.ts'
import { isDeep, MAX_DEPTH } from './is-deep.ts'
import { readId } from './read-id.ts'
import { countDrop, type Work } from './work.ts'

/** The fields of one Segment event, their types checked. Ids are '' where absent. */
export interface RawEvent {
  type: SegmentCall
  /** Name of a track call. */
  event: string
  userId: string
  anonymousId: string
  previousId: string
  groupId: string
  messageId: string
  name: string
  category: string
  timestamp: unknown
  sentAt: unknown
  properties: Record<string, unknown> | undefined
  traits: Record<string, unknown> | undefined
  context: RawContext
}

export interface RawContext {
  path: string
  device: string
  session: string
  ip: string
  /** Fields that are not kept. */
  dropped: number
}

const CALLS: ReadonlySet<unknown> = new Set<SegmentCall>([
  'track',
  'page',
  'screen',
  'identify',
  'alias',
  'group',
])
const NO_CONTEXT: RawContext = { path: '', device: '', session: '', ip: '', dropped: 0 }

/**
 * Checks the envelope of one event; zod's `SegmentEvent` says the same, ten times slower.
 * @param call the route's call, which goes before the event's own `type`.
 */
export function readEvent(value: unknown, call: SegmentCall | undefined, work: Work): RawEvent | RejectCode {
  if (!isObject(value)) return 'invalid_event'
  const raw = emptyEvent()
  let type: unknown = call
  let context: unknown
  for (const key in value) {
    const field = value[key]
    switch (key) {
      case 'type':
        if (call === undefined) type = field
        break
      case 'userId':
      case 'anonymousId':
      case 'previousId':
      case 'groupId':
      case 'messageId': {
        const id = readId(field)
        if (id === undefined) return 'invalid_identity'
        raw[key] = id
        break
      }
      case 'event':
      case 'name':
      case 'category':
        if (typeof field === 'string') raw[key] = field
        else if (field !== null && field !== undefined) return 'invalid_event'
        break
      case 'timestamp':
        raw.timestamp = field
        break
      case 'sentAt':
        raw.sentAt = field
        break
      case 'properties':
      case 'traits':
        if (isObject(field)) raw[key] = field
        else if (field !== null && field !== undefined) return 'invalid_event'
        break
      case 'context':
        context = field
        break
      case 'integrations':
        if (!isObject(field) && field !== null && field !== undefined) return 'invalid_event'
        if (isObject(field) && isDeep(field, MAX_DEPTH - 1)) return 'too_deep'
        break
      default:
        if (typeof field === 'object' && field !== null && isDeep(field, MAX_DEPTH - 1)) return 'too_deep'
        if (!KNOWN_FIELDS.has(key)) countDrop(work, 'undeclared_field')
    }
  }
  if (!CALLS.has(type)) return 'unknown_type'
  raw.type = type as SegmentCall
  const read = readContext(context)
  if (typeof read === 'string') return read
  raw.context = read
  return raw
}

/** Fields that Segment's libraries add and that say nothing of the person: not kept, and not worth counting. */
const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  '_metadata',
  'channel',
  'options',
  'originalTimestamp',
  'receivedAt',
  'version',
  'writeKey',
])

function emptyEvent(): RawEvent {
  return {
    type: 'track',
    event: '',
    userId: '',
    anonymousId: '',
    previousId: '',
    groupId: '',
    messageId: '',
    name: '',
    category: '',
    timestamp: undefined,
    sentAt: undefined,
    properties: undefined,
    traits: undefined,
    context: NO_CONTEXT,
  }
}

/** Reads what is kept of a context: page path, device id, session id; and the IP, for apps that keep a part of it. */
export function readContext(value: unknown): RawContext | RejectCode {
  if (value === undefined || value === null) return NO_CONTEXT
  if (!isObject(value)) return 'invalid_event'
  const context: RawContext = { path: '', device: '', session: '', ip: '', dropped: 0 }
  for (const key in value) {
    const field = value[key]
    if (typeof field === 'object' && field !== null && isDeep(field, MAX_DEPTH - 2)) return 'too_deep'
    if (key !== 'page' && key !== 'device' && key !== 'sessionId' && key !== 'session_id' && key !== 'ip') {
      context.dropped++
    } else if (field !== undefined && field !== null) {
      const code = readKeptField(key, field, context)
      if (code) return code
    }
  }
  return context
}

function readKeptField(key: string, field: unknown, context: RawContext): RejectCode | undefined {
  if (key === 'page') return readPage(field, context)
  if (key === 'device') return readDevice(field, context)
  if (key === 'ip') {
    if (typeof field !== 'string') return 'invalid_event'
    context.ip = field
    context.dropped++
    return undefined
  }
  const id = readId(field)
  if (id === undefined) return 'invalid_identity'
  if (context.session === '') context.session = id
  return undefined
}

function readPage(page: unknown, context: RawContext): RejectCode | undefined {
  if (!isObject(page)) return 'invalid_event'
  for (const key in page) {
    const field = page[key]
    if (key !== 'path') context.dropped++
    else if (typeof field === 'string') context.path = field
    else if (field !== null && field !== undefined) return 'invalid_event'
  }
  return undefined
}

function readDevice(device: unknown, context: RawContext): RejectCode | undefined {
  if (!isObject(device)) return 'invalid_event'
  for (const key in device) {
    if (key !== 'id') context.dropped++
    else {
      const id = readId(device[key])
      if (id === undefined) return 'invalid_identity'
      context.device = id
    }
  }
  return undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
