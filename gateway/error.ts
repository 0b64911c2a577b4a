import { EbbError } from '../runtime/errors.ts'
import { DATA_MAP } from '../schemas/data-map.ts'
import { thisStoreAnswers } from '../schemas/erasure-messages.ts'
import { planStores } from '../schemas/erasure-plan.ts'

interface Verdict {
  status: number
  message: string
  /** Seconds after which a client should try again. */
  retryAfterS?: number
}

/**
 * Every way in which the gateway says no. The list is closed and its texts are fixed: nothing of a request can be echoed,
 * and no text depends on whether a person is known.
 */
const VERDICTS = {
  invalid_http: { status: 400, message: 'The request is not HTTP/1.1.' },
  invalid_json: { status: 400, message: 'The body is not JSON.' },
  invalid_body: { status: 400, message: 'The body does not have the shape that /openapi.json gives.' },
  invalid_query: { status: 400, message: 'A query parameter is unknown or not of its shape.' },
  invalid_id: { status: 400, message: 'An id in the path is not a UUID in lower case.' },
  invalid_identifier: { status: 400, message: 'An identifier is not well-formed text.' },
  invalid_hold: { status: 400, message: 'A hold ends in the future, within ten years.' },
  proof_required: { status: 400, message: 'Say how the identity of the person was proven (`proof`).' },
  token_missing: { status: 401, message: 'Give a token: Authorization: Bearer <token>.' },
  token_invalid: { status: 401, message: 'The token is unknown, expired or revoked.' },
  role_forbidden: { status: 403, message: 'The role of this token may not do this.' },
  app_forbidden: { status: 403, message: 'This token is not for this app.' },
  not_found: { status: 404, message: 'There is nothing here; /openapi.json lists what is.' },
  request_unknown: { status: 404, message: 'There is no request of this id.' },
  certificate_unknown: { status: 404, message: 'There is no such certificate of this request.' },
  salt_gone: { status: 404, message: 'The salt is kept until the request is closed, and no longer.' },
  hold_unknown: { status: 404, message: 'No hold of this id stands.' },
  app_unknown: { status: 404, message: 'There is no app of this name.' },
  checkpoint_unknown: { status: 404, message: 'The log has no checkpoint yet.' },
  tile_unknown: { status: 404, message: 'The log has no such tile.' },
  method_not_allowed: { status: 405, message: 'This method is not for this path.' },
  request_timeout: { status: 408, message: 'The request took too long to arrive.' },
  too_late: { status: 409, message: 'The request has gone past the point where this can be asked.' },
  not_stuck: { status: 409, message: 'The request is not blocked on a store.' },
  store_answers: {
    status: 409,
    message: 'What the erasers gave up answers the verifier: retry it first.',
  },
  survivors_found: {
    status: 409,
    message: 'The verifier found something in a store that answers, and signs nothing.',
  },
  evidence_missing: {
    status: 409,
    message: 'The verifier has no receipt that it could believe of a store that answers.',
  },
  hold_over: { status: 409, message: 'A hold is over, and what it held is not erased yet.' },
  refused: { status: 409, message: 'The request cannot take this now.' },
  body_too_large: { status: 413, message: 'A body may hold 16 KiB.' },
  path_too_long: { status: 414, message: 'The path is too long.' },
  unsupported_media_type: { status: 415, message: 'Send application/json, not compressed.' },
  rate_limited: { status: 429, message: 'Too many requests.', retryAfterS: 5 },
  headers_too_large: { status: 431, message: 'The headers are too large.' },
  tokens_unavailable: { status: 503, message: 'Tokens cannot be checked now.', retryAfterS: 2 },
  audit_unavailable: { status: 503, message: 'The call cannot be recorded now.', retryAfterS: 2 },
  postgres_unavailable: { status: 503, message: 'Requests cannot be read now.', retryAfterS: 2 },
  saga_unavailable: { status: 503, message: 'The erasure cannot be reached now.', retryAfterS: 5 },
  verifier_unavailable: {
    status: 503,
    message: 'The verifier, or what it needs, gives no answer now.',
    retryAfterS: 5,
  },
  log_unavailable: { status: 503, message: 'The log cannot be read now.', retryAfterS: 5 },
  internal: { status: 500, message: 'Something broke here.', retryAfterS: 5 },
} as const satisfies Record<string, Verdict>

export type GatewayErrorCode = keyof typeof VERDICTS
export const GATEWAY_ERROR_CODES = Object.keys(VERDICTS) as GatewayErrorCode[]

export function gatewayError(code: GatewayErrorCode, cause?: unknown): EbbError {
  return new EbbError(code, VERDICTS[code].message, { cause })
}

export interface ErrorAnswer {
  code: GatewayErrorCode
  status: number
  retryAfterS: number | undefined
  /** JSON text: `{"code","message"}`. */
  body: string
}

/** Codes that other folders throw, under the name that the gateway gives them. */
const ALIASES: Record<string, GatewayErrorCode> = {
  identifier_invalid: 'invalid_identifier',
  invalid_message: 'invalid_body',
  already_certified: 'too_late',
  // Fastify's and Node's own.
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_body',
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json',
  FST_ERR_BAD_URL: 'not_found',
  FST_ERR_MAX_PARAM_LENGTH: 'path_too_long',
  FST_ERR_ASYNC_CONSTRAINT: 'not_found',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/** The one text of which there are several, each as fixed as the others: one for each store. */
const STORES_ANSWER: ReadonlySet<string> = new Set(
  [...planStores(DATA_MAP), 'clickhouse/aggregates'].map(thisStoreAnswers),
)

function messageOf(error: unknown, code: GatewayErrorCode): string {
  const named = code === 'store_answers' && error instanceof EbbError && STORES_ANSWER.has(error.message)
  return named ? `${error.message}.` : VERDICTS[code].message
}

/** The one place where an error becomes an HTTP answer. */
export function answerFor(error: unknown): ErrorAnswer {
  const thrown = (error as { code?: unknown } | null)?.code
  const name = typeof thrown === 'string' ? thrown : 'internal'
  const known = Object.hasOwn(ALIASES, name) ? ALIASES[name]! : name
  const code = (error instanceof EbbError || known !== name ? known : 'internal') as GatewayErrorCode
  const verdict: Verdict = Object.hasOwn(VERDICTS, code) ? VERDICTS[code] : VERDICTS.internal
  const final = Object.hasOwn(VERDICTS, code) ? code : 'internal'
  return {
    code: final,
    status: verdict.status,
    retryAfterS: verdict.retryAfterS,
    body: JSON.stringify({ code: final, message: messageOf(error, final) }),
  }
}
