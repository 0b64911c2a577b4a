import { GetObjectCommand } from '@aws-sdk/client-s3'
import type { Bucket } from '../schemas/bucket.ts'
import { isMissing, type S3 } from './client.ts'

/** The newest version of one object in memory, or undefined when there is none. For objects of some megabytes. */
export function getObject(s3: S3, bucket: Bucket, key: string): Promise<Buffer | undefined> {
  return s3.call(async (client) => {
    try {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: s3.nameOf(bucket), Key: key }))
      return Body ? Buffer.from(await Body.transformToByteArray()) : Buffer.alloc(0)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  })
}
