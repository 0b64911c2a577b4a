import { AbortMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import type { Bucket } from '../schemas/bucket.ts'
import { isMissing, type S3 } from './client.ts'

export interface UnfinishedUpload {
  key: string
  uploadId: string
}

/** Uploads that were begun and neither completed nor aborted: their parts are on disk and in no listing of objects. */
export function listUnfinishedUploads(s3: S3, bucket: Bucket, prefix: string): Promise<UnfinishedUpload[]> {
  return s3.call(async (client) => {
    const found: UnfinishedUpload[] = []
    let KeyMarker: string | undefined
    let UploadIdMarker: string | undefined
    for (;;) {
      const page = await client.send(
        new ListMultipartUploadsCommand({
          Bucket: s3.nameOf(bucket),
          Prefix: prefix,
          KeyMarker,
          UploadIdMarker,
        }),
      )
      for (const one of page.Uploads ?? []) found.push({ key: one.Key ?? '', uploadId: one.UploadId ?? '' })
      if (!page.IsTruncated) return found.filter((one) => one.key.startsWith(prefix))
      KeyMarker = page.NextKeyMarker
      UploadIdMarker = page.NextUploadIdMarker
    }
  })
}

export async function abortUpload(s3: S3, bucket: Bucket, upload: UnfinishedUpload): Promise<void> {
  await s3.call(async (client) => {
    try {
      await client.send(
        new AbortMultipartUploadCommand({
          Bucket: s3.nameOf(bucket),
          Key: upload.key,
          UploadId: upload.uploadId,
        }),
      )
    } catch (error) {
      // It was completed or aborted meanwhile.
      if (!isMissing(error)) throw error
    }
  })
}
