import { once } from 'node:events'
import { createGzip } from 'node:zlib'
import type { Bucket } from '../schemas/bucket.ts'
import type { S3 } from './client.ts'
import { putObject } from './put-object.ts'

const PART_BYTES = 32 << 20

export interface PartsWriter {
  write(bytes: Buffer): Promise<void>
  /** Writes what is left. @returns parts, and their bytes together */
  end(): Promise<{ parts: number; bytes: number }>
}

/**
 * A gzipped stream as objects of 32 MB, `<prefix>part-00000` and on: joined in the order of their names they are one gzip file.
 * Memory: one part.
 */
export function createPartsWriter(s3: S3, bucket: Bucket, prefix: string): PartsWriter {
  const gzip = createGzip({ level: 1 })
  let waiting: Buffer[] = []
  let held = 0
  const written = { parts: 0, bytes: 0 }
  gzip.on('data', (chunk: Buffer) => {
    waiting.push(chunk)
    held += chunk.length
  })
  const flush = async () => {
    if (held === 0) return
    const body = Buffer.concat(waiting)
    waiting = []
    held = 0
    await putObject(s3, bucket, `${prefix}part-${String(written.parts).padStart(5, '0')}`, body)
    written.parts += 1
    written.bytes += body.length
  }
  return {
    async write(bytes) {
      if (bytes.length === 0) return
      if (!gzip.write(bytes)) await once(gzip, 'drain')
      if (held >= PART_BYTES) await flush()
    },
    async end() {
      const ended = once(gzip, 'end')
      gzip.end()
      await ended
      await flush()
      return written
    },
  }
}
