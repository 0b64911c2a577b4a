import { PutObjectCommand } from '@aws-sdk/client-s3'
import type { Bucket } from '../schemas/bucket.ts'
import type { S3 } from './client.ts'

/** Writes one object; an older version of it stays until it is purged. @returns the new version's id. */
export async function putObject(
  s3: S3,
  bucket: Bucket,
  key: string,
  body: Uint8Array | string,
  contentType = 'application/octet-stream',
): Promise<string> {
  const { VersionId } = await s3.call((client) =>
    client.send(
      new PutObjectCommand({ Bucket: s3.nameOf(bucket), Key: key, Body: body, ContentType: contentType }),
    ),
  )
  return VersionId ?? ''
}
