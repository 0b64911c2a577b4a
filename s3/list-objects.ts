import { paginateListObjectsV2 } from '@aws-sdk/client-s3'
import type { Bucket } from '../schemas/bucket.ts'
import type { S3 } from './client.ts'

export interface ListedObject {
  key: string
  bytes: number
}

/** Newest versions below a prefix, by key. One request for each thousand. */
export function listObjects(s3: S3, bucket: Bucket, prefix: string): Promise<ListedObject[]> {
  return s3.call(async (client) => {
    const found: ListedObject[] = []
    for await (const page of paginateListObjectsV2(
      { client },
      { Bucket: s3.nameOf(bucket), Prefix: prefix },
    )) {
      for (const one of page.Contents ?? []) found.push({ key: one.Key ?? '', bytes: one.Size ?? 0 })
    }
    return found.sort((a, b) => (a.key < b.key ? -1 : 1))
  })
}
