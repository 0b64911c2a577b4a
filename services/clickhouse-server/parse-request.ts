import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { ClickHouseError } from './map-error.ts'

export interface QueryRequest {
  /** Text of `query=`, '' when the statement is in the body. */
  query: string
  queryId: string
  user: string
  password: string
  database: string
  defaultFormat: string
  /** Settings out of the URL; the engine judges them. */
  settings: [string, string][]
  /** `param_name` → value. */
  parameters: [string, string][]
  sessionId: string | undefined
  sessionTimeoutSeconds: number
  sessionCheck: boolean
  waitEndOfQuery: boolean
  /** Content-Encoding of the answer, as the engine names it; '' for none. */
  outputCompression: string
  /** Content-Encoding of the body; '' for none. */
  inputCompression: string
  /** Milliseconds since 1970 after which an INSERT must not start. */
  insertDeadline: number | undefined
}

/** Parameters of the HTTP interface itself: no settings. */
const HTTP_ONLY = new Set([
  'query',
  'query_id',
  'database',
  'default_format',
  'user',
  'password',
  'quota_key',
  'session_id',
  'session_timeout',
  'session_check',
  'close_session',
  'stacktrace',
  'compress',
  'decompress',
  'buffer_size',
  'wait_end_of_query',
  'role',
  'client_protocol_version',
  'enable_http_compression',
  'http_zlib_compression_level',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'cancel_http_readonly_queries_on_client_close',
  'framing',
])

const COMPRESSIONS = new Map([
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'br'],
  ['zstd', 'zstd'],
  ['lz4', 'lz4'],
  ['xz', 'xz'],
])

const header = (request: IncomingMessage, name: string) => {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

/**
 * Reads what the URL and the headers of a request say.
 * @throws ClickHouseError 516 for broken credentials, 48 for what this server does not do.
 */
export function parseRequest(request: IncomingMessage): QueryRequest {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const params = url.searchParams
  const flag = (name: string) => params.get(name) === '1' || params.get(name) === 'true'
  if (flag('compress') || flag('decompress')) {
    throw new ClickHouseError(
      48,
      'NOT_IMPLEMENTED',
      'compress=1 and decompress=1 are not served here: use Content-Encoding',
    )
  }
  const settings: [string, string][] = []
  const parameters: [string, string][] = []
  for (const [name, value] of params) {
    if (name.startsWith('param_')) parameters.push([name.slice('param_'.length), value])
    else if (!HTTP_ONLY.has(name)) settings.push([name, value])
  }
  if (header(request, 'content-type')?.startsWith('multipart/') === true) {
    throw new ClickHouseError(48, 'NOT_IMPLEMENTED', 'multipart bodies (external data) are not served here')
  }
  if (params.has('role')) throw new ClickHouseError(48, 'NOT_IMPLEMENTED', 'roles are not served here')
  const deadline = header(request, 'x-ebb-insert-deadline')
  const encoding = header(request, 'content-encoding') ?? ''
  if (encoding !== '' && encoding !== 'identity' && !COMPRESSIONS.has(encoding)) {
    throw new ClickHouseError(
      48,
      'NOT_IMPLEMENTED',
      `Content-Encoding ${encoding.slice(0, 20)} is not served here`,
    )
  }
  return {
    query: params.get('query') ?? '',
    queryId: params.get('query_id') || header(request, 'x-clickhouse-query-id') || randomUUID(),
    ...credentials(request, params),
    database: params.get('database') || header(request, 'x-clickhouse-database') || 'default',
    defaultFormat: formatName(
      params.get('default_format') || header(request, 'x-clickhouse-format') || 'TabSeparated',
    ),
    settings,
    parameters,
    sessionId: params.get('session_id') ?? undefined,
    sessionTimeoutSeconds: Math.min(Number(params.get('session_timeout') ?? 60) || 60, 3600),
    sessionCheck: flag('session_check'),
    waitEndOfQuery: flag('wait_end_of_query'),
    outputCompression: flag('enable_http_compression')
      ? accepted(header(request, 'accept-encoding') ?? '')
      : '',
    inputCompression: COMPRESSIONS.get(encoding) ?? '',
    insertDeadline: deadline === undefined ? undefined : Number(deadline),
  }
}

/** A format's name becomes part of the statement: only a word may. */
function formatName(name: string): string {
  if (/^\w+$/.test(name)) return name
  throw new ClickHouseError(73, 'UNKNOWN_FORMAT', 'Unknown format: its name is one word')
}

function accepted(list: string): string {
  for (const item of list.split(',')) {
    const name = COMPRESSIONS.get(item.split(';')[0]!.trim())
    if (name !== undefined) return name
  }
  return ''
}

function credentials(request: IncomingMessage, params: URLSearchParams): { user: string; password: string } {
  const authorization = header(request, 'authorization')
  if (authorization?.startsWith('Basic ')) {
    const text = Buffer.from(authorization.slice('Basic '.length), 'base64').toString('utf8')
    const colon = text.indexOf(':')
    if (colon < 0)
      throw new ClickHouseError(516, 'AUTHENTICATION_FAILED', 'Invalid authentication: broken Basic header')
    return { user: text.slice(0, colon) || 'default', password: text.slice(colon + 1) }
  }
  return {
    user: header(request, 'x-clickhouse-user') || params.get('user') || 'default',
    password: header(request, 'x-clickhouse-key') || params.get('password') || '',
  }
}
