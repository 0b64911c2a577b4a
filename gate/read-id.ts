import { MAX_ID_LENGTH } from '../schemas/event-definition.ts'

const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * An id as clients send it: a text of at most 256 characters, or an integer, which counts as its decimal text.
 * @returns '' where there is none (absent, null, empty), undefined where it is no valid id. Ill-formed text is refused, since
 * two such ids would become one in UTF-8.
 */
export function readId(value: unknown): string | undefined {
  if (typeof value === 'string') {
    if (value.length > MAX_ID_LENGTH || LONE_SURROGATE.test(value)) return undefined
    return value
  }
  if (value === undefined || value === null) return ''
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value)
  return undefined
}
