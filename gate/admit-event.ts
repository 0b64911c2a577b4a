import type { DropCode, RejectCode } from '../schemas/reject-code.ts'
import type { AdmitContext } from './admit-context.ts'
import { cleanPath } from './clean-path.ts'
import { type CompiledDefinition, compileRegistry } from './compile-registry.ts'
import { scanText } from './detectors/scan-text.ts'
import { createGrouping } from './group-persons.ts'
import { parseTime } from './parse-time.ts'
import type { Person } from './person.ts'
import type { ParsedBatch } from './read-batch.ts'
import { type RawContext, type RawEvent, readContext, readEvent } from './read-event.ts'
import { readId } from './read-id.ts'
import { hasRequired, readProperties, readProperty } from './read-properties.ts'
import { createStandIns } from './stand-in-ids.ts'
import { stripOwnIds } from './strip-own-ids.ts'
import { truncateIp } from './truncate-ip.ts'
import { countDrop, createWork, type Work } from './work.ts'

const DAY_MS = 86_400_000
export const DEFAULT_MAX_AGE_DAYS = 30
/** An insert must never span 100 monthly partitions, so no app may have more. */
export const MAX_AGE_DAYS = 400
/** How far a corrected clock may be ahead before it is set to the time of receipt. */
const FUTURE_TOLERANCE_MS = 300_000

const BUILT_IN_NAMES = {
  page: 'page_view',
  screen: 'screen',
  identify: 'identify',
  alias: 'alias',
  group: 'group',
} as const
/** A track call may not pass for one of these: they say who somebody is. */
const RESERVED: ReadonlySet<string> = new Set(['identify', 'alias', 'group'])
const NOTHING: Record<string, unknown> = {}
const NO_EXTRA: Set<string> = new Set()

export interface Admission {
  work: Work
  persons: Person[]
  /** @returns the code under which the event is rejected; undefined where it passed and joined its person. */
  admitEvent(event: unknown, index: number): RejectCode | undefined
  /** Notes whose event was rejected, where it says so. */
  rejectEvent(event: unknown, index: number): void
  /** To be called once after the last event. */
  finish(dropped: Map<DropCode, number>): void
}

/** Prepares one batch: what is the same for all its events is worked out once. */
export function createAdmission(batch: ParsedBatch, context: AdmitContext): Admission {
  const work = createWork()
  const definitions = compileRegistry(context.registry)
  const grouping = createGrouping(context.lookupKey)
  const outerRead = readContext(batch.context)
  const outer = typeof outerRead === 'string' ? undefined : outerRead
  const oldest = context.now - Math.min(context.app.maxAgeDays ?? DEFAULT_MAX_AGE_DAYS, MAX_AGE_DAYS) * DAY_MS
  const standIn = createStandIns(batch, context.nonce)

  function correctTime(raw: RawEvent): number | RejectCode {
    const { timestamp } = raw
    const sentAt = batch.sentAt ?? raw.sentAt
    let ts = context.now
    if (timestamp !== undefined && timestamp !== null) {
      ts = parseTime(timestamp)
      if (sentAt !== undefined && sentAt !== null) ts += context.now - parseTime(sentAt)
    }
    if (!(ts <= Number.MAX_VALUE)) return 'invalid_timestamp'
    if (ts > context.now + FUTURE_TOLERANCE_MS) return context.now
    return ts < oldest ? 'too_old' : ts
  }

  function admitEvent(event: unknown, index: number): RejectCode | undefined {
    const raw = readEvent(event, batch.call, work)
    if (typeof raw === 'string') return raw
    const definition = definitionOf(raw, definitions)
    if (!definition) return 'unknown_event'
    work.draft.event = definition.name
    if (!hasIdentity(raw)) return 'missing_identity'
    const ts = correctTime(raw)
    if (typeof ts === 'string') return ts
    work.draft.ts = ts

    const code = minimise(raw, definition, outer, context, work)
    if (code !== undefined) return code

    const { draft } = work
    draft.messageId = raw.messageId
    // The stand-in comes after the join, which tells repeats by the ids that clients gave.
    if (grouping.join(raw, draft) && raw.messageId === '') draft.messageId = standIn(index)
    return undefined
  }

  function rejectEvent(event: unknown, index: number): void {
    // The client's id of the batch is the batch's key as it is.
    if (batch.batchId !== '' || typeof event !== 'object' || event === null) return
    const { userId, anonymousId, messageId } = event as Record<string, unknown>
    // Where nobody can be read, no other verdict could make it somebody's.
    grouping.noteRejected(readId(userId), readId(anonymousId), () => readId(messageId) || standIn(index))
  }

  const finish = (dropped: Map<DropCode, number>) => grouping.finish(work, dropped)
  return { work, persons: grouping.persons, admitEvent, rejectEvent, finish }
}

function definitionOf(raw: RawEvent, definitions: ReadonlyMap<string, CompiledDefinition>) {
  if (raw.type !== 'track') return definitions.get(BUILT_IN_NAMES[raw.type])
  return RESERVED.has(raw.event) ? undefined : definitions.get(raw.event)
}

function hasIdentity(raw: RawEvent): boolean {
  if (raw.type === 'alias') return raw.userId !== '' && (raw.previousId !== '' || raw.anonymousId !== '')
  return raw.userId !== '' || raw.anonymousId !== ''
}

/** Fills the draft with what may be stored. */
function minimise(
  raw: RawEvent,
  definition: CompiledDefinition,
  outer: RawContext | undefined,
  context: AdmitContext,
  work: Work,
): RejectCode | undefined {
  const isTrait = raw.type === 'identify' || raw.type === 'group'
  const source = (isTrait ? raw.traits : raw.properties) ?? NOTHING
  const unused = isTrait ? raw.properties : raw.traits
  if (unused) countDrop(work, isTrait ? 'undeclared_property' : 'trait', Object.keys(unused).length)
  if (raw.groupId !== '') countDrop(work, 'trait')
  if (raw.context.dropped > 0) countDrop(work, 'context', raw.context.dropped)

  const code = readProperties(definition, source, work, isTrait ? 'trait' : 'undeclared_property')
  if (code !== undefined) return code
  const extra =
    raw.type === 'page' || raw.type === 'screen' ? readCallFields(raw, definition, source, work) : NO_EXTRA
  if (extra === undefined) return 'invalid_property'
  const missing = definition.required.length === 0 ? '' : hasRequired(definition, source, extra)
  if (missing !== '') {
    work.property = missing
    return 'missing_property'
  }
  readSurroundings(raw, definition, outer, context, work)
  const { draft } = work
  draft.props = work.json === '' ? '{}' : `{${work.json.slice(0, -1)}}`
  const ids = [
    raw.userId,
    raw.anonymousId,
    draft.device,
    draft.session,
    raw.messageId,
    draft.orderId,
    raw.previousId,
    raw.groupId,
  ]
  if (draft.ids) for (const { value } of draft.ids) ids.push(value)
  stripOwnIds(draft, ids, work)
  return undefined
}

/** A page or screen call has its name and category beside its properties. */
function readCallFields(
  raw: RawEvent,
  definition: CompiledDefinition,
  source: Record<string, unknown>,
  work: Work,
): Set<string> | undefined {
  const given = new Set<string>()
  for (const name of ['name', 'category'] as const) {
    const value = raw[name]
    if (value === '' || Object.hasOwn(source, name)) continue
    const property = definition.properties.get(name)
    if (!property) {
      countDrop(work, 'undeclared_property')
      continue
    }
    if (!readProperty(property, value, work)) {
      work.property = name
      return undefined
    }
    given.add(name)
  }
  return given
}

/** What the context says, the event's own before the envelope's. */
function readSurroundings(
  raw: RawEvent,
  definition: CompiledDefinition,
  outer: RawContext | undefined,
  context: AdmitContext,
  work: Work,
): void {
  const { draft } = work
  draft.device = raw.context.device || (outer?.device ?? '')
  draft.session = raw.context.session || draft.session || (outer?.session ?? '')
  const path = raw.context.path || (outer?.path ?? '')
  const property = definition.properties.get('path')
  if (draft.path === '' && path !== '' && property?.column === 'path' && path.length <= property.maxLength) {
    draft.path = cleanPath(path, scanText(path), property.isName, work)
  }
  if (context.app.ip === 'truncate') {
    const prefix = truncateIp(raw.context.ip || outer?.ip || (context.clientIp ?? ''))
    if (prefix !== '') work.json += `"ip_prefix":"${prefix}",`
  }
}
