import { DeleteObjectsCommand } from '@aws-sdk/client-s3'
import { EbbError } from '../runtime/errors.ts'
import { isLeftOut } from '../runtime/left-out-purge.ts'
import type { Bucket } from '../schemas/bucket.ts'
import type { S3 } from './client.ts'
import { listVersions, type ObjectVersion } from './list-versions.ts'
import { abortUpload, listUnfinishedUploads } from './multipart-uploads.ts'

/** Of one DeleteObjects request. */
const MOST_AT_ONCE = 1_000
/** A writer that is still at it may add something between our listing and our look. */
const TRIES = 3

export interface Purged {
  versions: ObjectVersion[]
  uploads: number
}

/**
 * Removes every version, delete marker and unfinished upload below a prefix ('' is the whole bucket), and looks whether
 * it is empty then. Doing it twice changes nothing.
 * @throws EbbError `purge_incomplete` when something still stands after three tries
 */
export function purgePrefix(s3: S3, bucket: Bucket, prefix: string): Promise<Purged> {
  return purge(s3, bucket, prefix, () => true)
}

/** The same for exactly one key. @throws EbbError `purge_incomplete` */
export function purgeObject(s3: S3, bucket: Bucket, key: string): Promise<Purged> {
  return purge(s3, bucket, key, (one) => one.key === key)
}

/** The same for all keys of the bucket that are meant, and no more listings however many they are. @throws EbbError `purge_incomplete` */
export function purgeKeys(s3: S3, bucket: Bucket, isMeant: (key: string) => boolean): Promise<Purged> {
  return purge(s3, bucket, '', ({ key }) => isMeant(key))
}

/**
 * Removes what is no longer current below a prefix: versions that a newer one or a delete marker covers, the markers, and
 * unfinished uploads. @throws EbbError `purge_incomplete`
 */
export async function purgeOldVersions(s3: S3, bucket: Bucket, prefix: string): Promise<Purged> {
  return purge(s3, bucket, prefix, (one) => !('isLatest' in one) || !one.isLatest || one.isDeleteMarker)
}

type Found = ObjectVersion | { key: string; uploadId: string }

async function purge(
  s3: S3,
  bucket: Bucket,
  prefix: string,
  goes: (found: Found) => boolean,
): Promise<Purged> {
  const purged: Purged = { versions: [], uploads: 0 }
  for (let tries = 0; ; tries++) {
    // Uploads first: one that is completed meanwhile is found as a version.
    const unfinished = isLeftOut('unfinished-uploads') ? [] : await listUnfinishedUploads(s3, bucket, prefix)
    const uploads = unfinished.filter(goes)
    const standing = isLeftOut('object-versions') ? [] : await listVersions(s3, bucket, prefix)
    const versions = standing.filter(goes)
    if (uploads.length === 0 && versions.length === 0) return purged
    if (tries === TRIES) {
      throw new EbbError(
        'purge_incomplete',
        `${versions.length} versions and ${uploads.length} uploads are still in bucket ${bucket}`,
      )
    }
    for (const upload of uploads) await abortUpload(s3, bucket, upload)
    await deleteVersions(s3, bucket, versions)
    purged.versions.push(...versions)
    purged.uploads += uploads.length
  }
}

/**
 * Current versions last. A server that keeps files (versitygw) removes a current one first and then moves the one below it up:
 * killed in between, it would keep a version that no listing shows any more, and that nobody could purge or find.
 */
async function deleteVersions(s3: S3, bucket: Bucket, versions: ObjectVersion[]): Promise<void> {
  const oldFirst = versions.toSorted((one, other) => Number(one.isLatest) - Number(other.isLatest))
  for (let at = 0; at < versions.length; at += MOST_AT_ONCE) {
    const Objects = oldFirst
      .slice(at, at + MOST_AT_ONCE)
      .map((one) => ({ Key: one.key, VersionId: one.versionId }))
    // Quiet: what could not be deleted is found by the next look, whatever the server says of it.
    await s3.call((client) =>
      client.send(new DeleteObjectsCommand({ Bucket: s3.nameOf(bucket), Delete: { Objects, Quiet: true } })),
    )
  }
}
