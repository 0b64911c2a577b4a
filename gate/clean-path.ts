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
const UNUSUAL = ESCAPE | NON_ASCII | PERCENT

/**
 * A page's path or screen's name as it may be stored: without origin, query, fragment and matrix parameters; segments that
 * hold personal data or opaque ids become `:redacted` and are counted. '' where the whole still tells too much.
 * @param flags of scanText(raw).
 */
export function cleanPath(raw: string, flags: number, work: Work): string {
  let path = (flags & (COLON | PATH_END)) === 0 ? raw : stripAround(raw)
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

function stripAround(raw: string): string {
  let path = raw
  const scheme = path.indexOf('://')
  if (scheme >= 0) {
    const slash = path.indexOf('/', scheme + 3)
    path = slash < 0 ? '/' : path.slice(slash)
  } else if (!path.startsWith('/')) return path
  const end = path.search(/[?#;]/)
  return end < 0 ? path : path.slice(0, end)
}

/** Words joined by hyphens make long runs too, but with few digits and no capitals. */
function mayBeOpaque(flags: number): boolean {
  return (flags & LONG_RUN) !== 0 && (flags & (UPPER | SOME_DIGITS)) !== 0
}

function isOpaque(segment: string): boolean {
  if (segment.length < 16) return false
  return UUID.test(segment) || LONG_HEX.test(segment) || TOKEN.test(segment) || JWT.test(segment)
}
