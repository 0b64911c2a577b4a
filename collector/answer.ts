import type { ServerResponse } from 'node:http'
import { answerFor } from './error.ts'

/** Any page may send events: the write key is no secret of a browser, and no cookie is ever read. */
const CORS = ['access-control-allow-origin', '*'] as const

/** Answers with JSON text. */
export function answerJson(response: ServerResponse, status: number, text: string): void {
  response
    .writeHead(status, [
      ...CORS,
      'content-type',
      'application/json',
      'content-length',
      String(Buffer.byteLength(text)),
    ])
    .end(text)
}

/** Answers with an error's fixed text. @returns the status. */
export function answerError(response: ServerResponse, error: unknown): number {
  const { status, body, retryAfterS } = answerFor(error)
  const headers = [
    ...CORS,
    'content-type',
    'application/json',
    'content-length',
    String(Buffer.byteLength(body)),
  ]
  if (retryAfterS !== undefined) {
    headers.push('retry-after', String(retryAfterS), 'access-control-expose-headers', 'retry-after')
  }
  if (status === 401) headers.push('www-authenticate', 'Basic realm="write key"')
  if (status === 405) headers.push('allow', 'POST, OPTIONS')
  response.writeHead(status, headers).end(body)
  return status
}
