import { ListObjectVersionsCommand } from '@aws-sdk/client-s3'
import type { Bucket } from '../schemas/bucket.ts'
import type { S3 } from './client.ts'

export interface ObjectVersion {
  key: string
  versionId: string
  isLatest: boolean
  isDeleteMarker: boolean
}

/** Every version and delete marker below a prefix. One request for each thousand. */
export function listVersions(s3: S3, bucket: Bucket, prefix: string): Promise<ObjectVersion[]> {
  return s3.call(async (client) => {
    const found: ObjectVersion[] = []
    let KeyMarker: string | undefined
    let VersionIdMarker: string | undefined
    for (;;) {
      const page = await client.send(
        new ListObjectVersionsCommand({
          Bucket: s3.nameOf(bucket),
          Prefix: prefix,
          KeyMarker,
          VersionIdMarker,
        }),
      )
      const add =
        (isDeleteMarker: boolean) => (one: { Key?: string; VersionId?: string; IsLatest?: boolean }) =>
          found.push({
            key: one.Key ?? '',
            // Objects from before versioning have the version `null`, by that name.
            versionId: one.VersionId || 'null',
            isLatest: one.IsLatest === true,
            isDeleteMarker,
          })
      page.Versions?.forEach(add(false))
      page.DeleteMarkers?.forEach(add(true))
      if (!page.IsTruncated) return found
      KeyMarker = page.NextKeyMarker
      VersionIdMarker = page.NextVersionIdMarker
    }
  })
}
