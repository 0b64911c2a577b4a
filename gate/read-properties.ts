import { CURRENCY_TEXT, MONEY_TEXT } from '../schemas/event-definition.ts'
import type { RejectCode } from '../schemas/reject-code.ts'
import { cleanPath } from './clean-path.ts'
import type { CompiledDefinition, CompiledProperty } from './compile-registry.ts'
import { findSensitive } from './detectors/find-sensitive.ts'
import { ESCAPE, isSuspicious, NON_ASCII, PERCENT, scanText } from './detectors/scan-text.ts'
import { isFoldable } from './detectors/unfold-text.ts'
import { isDeep, MAX_DEPTH } from './is-deep.ts'
import { readId } from './read-id.ts'
import { countDrop, type Work } from './work.ts'

/** Properties an event may have, declared or not. */
export const MAX_PROPERTIES = 256
/** Integers below this are never taken for a card, phone or identity number: counts, scores and sizes live there. */
const MIN_SENSITIVE_NUMBER = 1e9
const LONE_SURROGATES = /\p{Surrogate}/gu
/** Needs JSON's escapes, or a look at what hides in it. */
const UNUSUAL = ESCAPE | NON_ASCII | PERCENT

/**
 * Minimises properties or traits into the draft: what is declared and harmless is kept, all else dropped and counted.
 * @param other code under which undeclared and personal ones count.
 * @returns a code where the event must be rejected; `work.property` then names the declared property.
 */
export function readProperties(
  definition: CompiledDefinition,
  source: Record<string, unknown>,
  work: Work,
  other: 'undeclared_property' | 'trait',
): RejectCode | undefined {
  let count = 0
  for (const name in source) {
    if (++count > MAX_PROPERTIES) return 'too_many_properties'
    const value = source[name]
    const property = definition.properties.get(name)
    if (property === undefined) {
      if (readSessionProperty(name, value, work)) continue
      if (typeof value === 'object' && value !== null && isDeep(value, MAX_DEPTH - 2)) return 'too_deep'
      countDrop(work, other)
    } else if (value !== null && value !== undefined && !readProperty(property, value, work)) {
      work.property = name
      return 'invalid_property'
    }
  }
  return undefined
}

/** Properties that a definition requires and the event has not. `extra` names one that a field of the call gives. */
export function hasRequired(
  definition: CompiledDefinition,
  source: Record<string, unknown>,
  extra: Set<string>,
): string {
  for (const name of definition.required) {
    const given = Object.hasOwn(source, name) && source[name] !== null && source[name] !== undefined
    if (!given && !extra.has(name)) return name
  }
  return ''
}

/** Clients without a place for the session in `context` send it as a property; it is an id, so it needs no declaration. */
function readSessionProperty(name: string, value: unknown, work: Work): boolean {
  if (name !== 'session_id' && name !== 'sessionId') return false
  const id = readId(value)
  if (id === undefined || work.draft.session !== '') return false
  work.draft.session = id
  return true
}

/** @returns false where the value is not what the definition says. */
export function readProperty(property: CompiledProperty, value: unknown, work: Work): boolean {
  if (property.personal) {
    if (property.vault) keepForVault(property, value, work)
    countDrop(work, 'personal')
    return true
  }
  switch (property.type) {
    case 'string':
      return typeof value === 'string' && readString(property, value, work)
    case 'integer':
    case 'number':
      return typeof value === 'number' && readNumber(property, value, work)
    case 'boolean':
      if (typeof value !== 'boolean') return false
      work.json += `${property.jsonKey}${value},`
      return true
    case 'enum':
      return typeof value === 'string' && readEnum(property, value, work)
    case 'money':
      return readMoney(property, value, work)
    case 'id':
      return readIdProperty(property, value, work)
  }
}

/** What cannot be kept is dropped, as any personal trait is: a wrong one costs no event. */
function keepForVault(property: CompiledProperty, value: unknown, work: Work): void {
  if (typeof value !== 'string' || value === '' || value.length > property.maxLength) return
  work.draft.vault ??= {}
  work.draft.vault[property.name] = wellFormed(value)
}

function readString(property: CompiledProperty, text: string, work: Work): boolean {
  if (text.length > property.maxLength) return false
  if (property.column === 'currency') {
    if (!CURRENCY_TEXT.test(text)) return false
    work.draft.currency = text.toUpperCase()
    return true
  }
  const flags = scanText(text)
  if (property.column === 'path') {
    work.draft.path = cleanPath(text, flags, property.isName, work)
    return true
  }
  if (isSuspicious(flags)) {
    const code = findSensitive(text, property.content)
    if (code !== undefined) {
      countDrop(work, code)
      return true
    }
  }
  if ((flags & UNUSUAL) !== 0) {
    work.draft.unusual ||= (flags & (ESCAPE | PERCENT)) !== 0 || isFoldable(text)
    storeText(property, wellFormed(text), JSON.stringify(wellFormed(text)), work)
  } else if (property.column === 'props') work.json += `${property.jsonKey}"${text}",`
  else storeText(property, text, '', work)
  return true
}

/** Lone surrogates, as left by clients that cut texts in the middle of an emoji, become U+FFFD: rows are valid UTF-8. */
function wellFormed(text: string): string {
  return text.replace(LONE_SURROGATES, '\ufffd')
}

function storeText(property: CompiledProperty, text: string, json: string, work: Work): void {
  if (property.column === 'element') work.draft.element = text
  else if (property.column === 'product') work.draft.product = text
  else work.json += `${property.jsonKey}${json},`
}

function readNumber(property: CompiledProperty, value: number, work: Work): boolean {
  const size = Math.abs(value)
  if (size >= MIN_SENSITIVE_NUMBER && Number.isInteger(value)) {
    const code = size < 1e21 ? findSensitive(String(size), 'text') : undefined
    if (code !== undefined) {
      countDrop(work, code)
      return true
    }
  }
  if (!(value >= property.min && value <= property.max)) return false
  if (property.type === 'integer' && !Number.isInteger(value)) return false
  work.json += `${property.jsonKey}${value},`
  return true
}

function readEnum(property: CompiledProperty, value: string, work: Work): boolean {
  const json = property.values.get(value)
  if (json === undefined) return false
  storeText(property, value, json, work)
  return true
}

function readMoney(property: CompiledProperty, value: unknown, work: Work): boolean {
  if (typeof value === 'string' ? !MONEY_TEXT.test(value) : typeof value !== 'number') return false
  const amount = Number(value)
  if (!(amount >= property.min && amount <= property.max)) return false
  // Half a unit goes away from zero, so that a refund mirrors its purchase; adding 0 turns -0 into 0.
  const units = Math.sign(amount) * Math.round(Math.abs(amount) * 10_000) + 0
  if (property.column === 'revenue') work.draft.revenue = units
  else work.json += `${property.jsonKey}${units / 10_000},`
  return true
}

function readIdProperty(property: CompiledProperty, value: unknown, work: Work): boolean {
  const id = readId(value)
  if (id === undefined) return false
  if (id === '') return true
  if (property.column === 'orderId') work.draft.orderId = id
  else if (property.column === 'session') work.draft.session = id
  else {
    work.draft.ids ??= []
    work.draft.ids.push({ name: property.name, value: id })
  }
  return true
}
