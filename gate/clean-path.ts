import { findSensitive } from './detectors/find-sensitive.ts'
import {
  COLON,
  ESCAPE,
  isSuspicious,
  LONG_RUN,
  NON_ASCII,
  PATH_END,
  PERCENT,
  SOME_DIGITS,
  UPPER,
} from './detectors/scan-text.ts'
import { isFoldable } from './detectors/unfold-text.ts'
import { countDrop, type Work } from './work.ts'

/** Stands where a path segment held an identifier, so that pages of one kind still count together. */
export const REDACTED = ':redacted'

const UUID = /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i
const LONG_HEX = /^(?=.*\d)(?=.*[a-f])[0-9a-f]{16,}$/i
const TOKEN = /^(?=.*\d.*\d)(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9]{20,}$/
const JWT = /^eyJ[\w-]+\.[\w-]+/
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/]*/i
/** Where a path ends: query, fragment, matrix parameters. */
const END = /[?#;]/
/** A screen's name that is a path after all, as where screens are named by their route. */
const ROUTE = /^(?:[/#]|[a-z][a-z0-9+.-]*:\/\/)/i
/** A query in what may be a name: "What next?" has none, "checkout?token=x" has. */
const QUERY = /[?#;&]\s*[^\s=?#;&]*=|[#?]\//
const UNUSUAL = ESCAPE | NON_ASCII | PERCENT

/**
 * A page's path or screen's name as it may be stored: without origin, query, fragment and matrix parameters; segments that
 * hold personal data or opaque ids become `:redacted` and are counted. '' where the whole still tells too much.
 * @param flags of scanText(raw). @param isName a screen's name, in which ? # ; are punctuation unless it looks like a path.
 */
export function cleanPath(raw: string, flags: number, isName: boolean, work: Work): string {
  let path = (flags & (COLON | PATH_END)) === 0 ? raw : isName ? stripName(raw) : stripAround(raw)
  if ((flags & UNUSUAL) !== 0) {
    work.draft.unusual ||= (flags & (ESCAPE | PERCENT)) !== 0 || isFoldable(path)
    path = path.replace(/\p{Surrogate}/gu, '\ufffd')
  }
  if (!isSuspicious(flags) && !mayBeOpaque(flags)) return path

  const segments = path.split('/')
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i] as string
    const code = findSensitive(segment, 'text') ?? (isOpaque(segment) ? 'opaque_id' : undefined)
    if (code === undefined) continue
    countDrop(work, code)
    segments[i] = REDACTED
  }
  path = segments.join('/')
  // What is spread over several segments (/51.50735/-0.12776) shows only in the whole.
  const code = findSensitive(path, 'text')
  if (code === undefined) return path
  countDrop(work, code)
  return ''
}

/** The end goes first, since a query may hold an address of its own: `/login?next=https://shop.example/account`. */
function stripAround(raw: string): string {
  const end = raw.search(END)
  const path = end < 0 ? raw : raw.slice(0, end)
  const origin = ORIGIN.exec(path)
  return origin ? path.slice(origin[0].length) || '/' : path
}

function stripName(raw: string): string {
  if (ROUTE.test(raw)) return stripAround(raw)
  const query = raw.search(QUERY)
  return query < 0 ? raw : raw.slice(0, query)
}

/** Words joined by hyphens make long runs too, but with few digits and no capitals. */
function mayBeOpaque(flags: number): boolean {
  return (flags & LONG_RUN) !== 0 && (flags & (UPPER | SOME_DIGITS)) !== 0
}

function isOpaque(segment: string): boolean {
  if (segment.length < 16) return false
  return UUID.test(segment) || LONG_HEX.test(segment) || TOKEN.test(segment) || JWT.test(segment)
}
