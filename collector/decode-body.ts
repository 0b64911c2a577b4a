import { isUtf8 } from 'node:buffer'
import { gunzipSync, inflateRawSync, inflateSync } from 'node:zlib'
import { collectorError } from './error.ts'
import { MAX_BODY_BYTES } from './read-body.ts'

/**
 * Undoes the Content-Encoding. Inflating stops at the bound, so a bomb costs no more than a full batch does (about 1 ms);
 * for bodies of this size that is cheaper than a trip to the thread pool.
 * @throws EbbError `unsupported_encoding`, `invalid_encoding`, `body_too_large`
 */
export function decompressBody(body: Buffer, encoding: string | undefined): Buffer {
  const name = encoding?.trim().toLowerCase() ?? ''
  if (name === '' || name === 'identity') return body
  if (name !== 'gzip' && name !== 'x-gzip' && name !== 'deflate') throw collectorError('unsupported_encoding')
  const options = { maxOutputLength: MAX_BODY_BYTES, chunkSize: 65_536 }
  try {
    if (name !== 'deflate') return gunzipSync(body, options)
    // "deflate" means the zlib format, but some clients send it raw; a zlib header has 8 in its low four bits.
    return ((body[0] ?? 0) & 0x0f) === 8 ? inflateSync(body, options) : inflateRawSync(body, options)
  } catch (error) {
    const tooLarge = (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE'
    // No cause: zlib's messages say nothing of use, and the code says it all.
    throw collectorError(tooLarge ? 'body_too_large' : 'invalid_encoding')
  }
}

/**
 * The JSON value of a body. Bytes that are not UTF-8 are refused and never replaced: two ids that differ only in broken
 * bytes must not become one person.
 * @throws EbbError `invalid_utf8`, `invalid_json`
 */
export function parseBody(body: Buffer): unknown {
  if (!isUtf8(body)) throw collectorError('invalid_utf8')
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    // No cause: V8 quotes the text in its message.
    throw collectorError('invalid_json')
  }
}
