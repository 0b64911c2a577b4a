import { S3Client, S3ServiceException } from '@aws-sdk/client-s3'
import type { Config } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import type { Bucket } from '../schemas/bucket.ts'

export type S3ErrorCode = 's3_unavailable' | 's3_refused' | 'purge_incomplete'

/** What the statements of this folder need of object storage. */
export interface S3 {
  /**
   * Runs one call. @throws EbbError `s3_unavailable` when no answer came or the server is ending (a retry may help),
   * `s3_refused` when it said no. Only the server's code goes into the message.
   */
  call<Answer>(work: (client: S3Client) => Promise<Answer>): Promise<Answer>
  /** A bucket's name on the server. */
  nameOf(bucket: Bucket): string
  close(): void
}

/** A client of the configured server; path-style, since development servers have no name for each bucket. */
export function createS3(config: Pick<Config, 's3'>): S3 {
  const { endpoint, accessKey, secretKey, bucketPrefix } = config.s3
  // The SDK's notice about coming releases would stand in every command's output.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 3,
  })
  return {
    nameOf: (bucket) => `${bucketPrefix}${bucket}`,
    async call(work) {
      try {
        return await work(client)
      } catch (error) {
        throw describe(error)
      }
    },
    close: () => client.destroy(),
  }
}

function describe(error: unknown): unknown {
  if (error instanceof EbbError) return error
  if (error instanceof S3ServiceException) {
    const status = error.$metadata.httpStatusCode ?? 0
    const code = status >= 500 || status === 429 ? 's3_unavailable' : 's3_refused'
    return new EbbError(code, `object storage answered ${status} ${error.name}`)
  }
  const code = (error as { code?: unknown }).code
  return new EbbError(
    's3_unavailable',
    `object storage is away (${typeof code === 'string' ? code : 'no answer'})`,
  )
}

/** True for the refusal that says that a key or a bucket is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404
}
