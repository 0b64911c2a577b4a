import { openCheckpoint } from '../../certificates/open-checkpoint.ts'
import type { PublicKey } from '../../certificates/public-key.ts'
import { decodeBundle, type TileFile, tilePath } from '../../certificates/tiles.ts'
import { EbbError } from '../../runtime/errors.ts'
import { inLanes } from '../../runtime/in-lanes.ts'
import type { S3 } from '../../s3/client.ts'
import { getObject } from '../../s3/get-object.ts'
import { putObject } from '../../s3/put-object.ts'

/** Objects of the bucket `log`; certificates and tiles are written before a checkpoint speaks of them. */
export const CHECKPOINT_KEY = 'checkpoint'
export const certificateKey = (digest: string) => `certificates/${digest}.json`
export const proofKey = (digest: string) => `certificates/${digest}.tlog-proof`

const BUNDLE = 256
/** Objects under way at a time. */
export const LANES = 16

export interface PublishedHead {
  /** The signed note. */
  text: string
  size: number
  root: Buffer
}

/** The newest checkpoint. @throws EbbError `log_forked` when it is not signed by the log's key */
export async function readCheckpoint(s3: S3, log: PublicKey): Promise<PublishedHead | undefined> {
  const bytes = await getObject(s3, 'log', CHECKPOINT_KEY)
  if (!bytes) return undefined
  const text = bytes.toString()
  try {
    const { head } = openCheckpoint(text, [log])
    return { text, size: head.size, root: head.root }
  } catch {
    throw new EbbError('log_forked', 'the checkpoint in the bucket is not signed by this log')
  }
}

/**
 * The entries `[from, size)` of the log; one request for each 256. Those behind a certificate, one a line, are what
 * `ebb verify --leaves` takes. @throws EbbError `log_forked` when a bundle is not there
 */
export async function readEntries(s3: S3, size: number, from = 0): Promise<Buffer[]> {
  const first = Math.floor(from / BUNDLE)
  const bundles = Array.from({ length: Math.ceil(size / BUNDLE) - first }, (_, at) => first + at)
  const read = await inLanes(bundles, LANES, (index) =>
    readBundle(s3, index, Math.min(BUNDLE, size - index * BUNDLE)),
  )
  return read.flat().slice(from - first * BUNDLE)
}

async function readBundle(s3: S3, index: number, width: number): Promise<Buffer[]> {
  // A partial bundle may have been removed once its full one was there.
  const bytes =
    (await getObject(s3, 'log', tilePath('entries', index, width))) ??
    (width < BUNDLE ? await getObject(s3, 'log', tilePath('entries', index)) : undefined)
  const entries = bytes ? decode(bytes) : []
  if (entries.length < width) throw new EbbError('log_forked', `entries of bundle ${index} are missing`)
  return entries.slice(0, width)
}

function decode(bytes: Buffer): Buffer[] {
  try {
    return decodeBundle(bytes)
  } catch {
    throw new EbbError('log_forked', 'a bundle of entries is damaged')
  }
}

export async function writeTiles(s3: S3, files: readonly TileFile[]): Promise<void> {
  await inLanes(files, LANES, ({ path, bytes }) => putObject(s3, 'log', path, bytes))
}
