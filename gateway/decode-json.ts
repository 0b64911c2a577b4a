import { isUtf8 } from 'node:buffer'
import { gatewayError } from './error.ts'

/** Names that would reach into an object's prototype where somebody copies it carelessly; no shape of ours has them. */
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * The JSON value of a body; an empty one is undefined.
 * @throws EbbError `invalid_json`, `invalid_body`
 */
export function decodeJson(body: Buffer): unknown {
  if (body.length === 0) return undefined
  if (!isUtf8(body)) throw gatewayError('invalid_json')
  let forbidden = false
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'), (key, inner) => {
      forbidden ||= FORBIDDEN.has(key)
      return inner
    })
  } catch {
    // No cause: V8 quotes the text in its message.
    throw gatewayError('invalid_json')
  }
  if (forbidden) throw gatewayError('invalid_body')
  return value
}
