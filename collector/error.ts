import { EbbError } from '../runtime/errors.ts'
import { BATCH_CODES } from '../schemas/reject-code.ts'

export { describeSafely } from '../runtime/describe-safely.ts'

interface Verdict {
  status: number
  message: string
  /** Seconds after which a client should try again, with the same ids. */
  retryAfterS?: number
}

function refused(message: string): Verdict {
  return { status: 400, message }
}

/** Every way in which the collector says no. The list is closed: what is not in it is `internal`. */
const VERDICTS = {
  invalid_batch: refused(BATCH_CODES.invalid_batch),
  empty_batch: refused(BATCH_CODES.empty_batch),
  too_many_events: refused(BATCH_CODES.too_many_events),
  invalid_json: refused('The body is not JSON.'),
  invalid_utf8: refused('The body is not UTF-8.'),
  invalid_encoding: refused('The body does not decompress: it is broken, truncated or of another encoding.'),
  invalid_http: refused('The request is not HTTP/1.1.'),
  incomplete_body: refused('The body ended early.'),
  missing_write_key: {
    status: 401,
    message: 'Give the write key by Basic auth (as user name) or as writeKey in the body.',
  },
  unknown_write_key: { status: 401, message: 'No app has this write key.' },
  not_found: { status: 404, message: 'There is nothing here. Events go to /v1/batch, /v1/track, …' },
  method_not_allowed: { status: 405, message: 'Use POST here.' },
  request_timeout: { status: 408, message: 'The request took too long to arrive.' },
  body_too_large: { status: 413, message: 'A request may hold 500 KB, also when decompressed.' },
  unsupported_encoding: { status: 415, message: 'Content-Encoding may be gzip, deflate or identity.' },
  headers_too_large: { status: 431, message: 'The headers are too large.' },
  overloaded: { status: 503, message: 'Too much is under way.', retryAfterS: 1 },
  stopping: { status: 503, message: 'This collector is stopping.', retryAfterS: 1 },
  apps_unavailable: { status: 503, message: 'Write keys cannot be checked now.', retryAfterS: 2 },
  subjects_unavailable: { status: 503, message: 'Events cannot be taken now.', retryAfterS: 2 },
  states_unavailable: { status: 503, message: 'People’s choices cannot be looked up now.', retryAfterS: 2 },
  events_unavailable: { status: 503, message: 'Events cannot be stored now.', retryAfterS: 2 },
  internal: { status: 500, message: 'Something broke here.', retryAfterS: 5 },
} as const satisfies Record<string, Verdict>

export type CollectorErrorCode = keyof typeof VERDICTS
export const COLLECTOR_ERROR_CODES = Object.keys(VERDICTS) as CollectorErrorCode[]

export function collectorError(code: CollectorErrorCode, cause?: unknown): EbbError {
  return new EbbError(code, VERDICTS[code].message, { cause })
}

export interface ErrorAnswer {
  code: CollectorErrorCode
  status: number
  retryAfterS: number | undefined
  /** JSON text: `{"error":{"code","message"}}`. */
  body: string
}

const ANSWERS = new Map<string, ErrorAnswer>(
  Object.entries(VERDICTS).map(([name, verdict]: [string, Verdict]) => {
    const code = name as CollectorErrorCode
    const body = JSON.stringify({ error: { code, message: verdict.message } })
    return [code, { code, status: verdict.status, retryAfterS: verdict.retryAfterS, body }]
  }),
)

/** The one place where an error becomes an HTTP answer; the text is fixed, so nothing of a request can be echoed. */
export function answerFor(error: unknown): ErrorAnswer {
  const code = error instanceof EbbError ? error.code : 'internal'
  return ANSWERS.get(code) ?? ANSWERS.get('internal')!
}
