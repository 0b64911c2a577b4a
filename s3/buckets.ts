import {
  CreateBucketCommand,
  DeleteBucketCommand,
  GetBucketVersioningCommand,
  HeadBucketCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
} from '@aws-sdk/client-s3'
import type { Config } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import { BUCKETS, type Bucket } from '../schemas/bucket.ts'
import { createS3, isMissing, type S3 } from './client.ts'
import { purgePrefix } from './purge.ts'
import { verifierPolicy } from './verifier-policy.ts'

/**
 * Makes the buckets that are missing, all versioned. A bucket that was made without is refused: what it holds was written
 * under a promise that we cannot check any more. Where the configuration says what policies call the verifier, each bucket's
 * policy is set anew. Safe to run from several processes at once.
 * @throws EbbError `s3_unavailable`, `s3_refused`, `bucket_unversioned`
 */
export async function ensureBuckets(config: Pick<Config, 's3' | 'verifier'>): Promise<void> {
  const s3 = createS3(config)
  const { s3Principal } = config.verifier
  const ensure = async (bucket: Bucket) => {
    await ensureBucket(s3, bucket)
    if (s3Principal) await admitVerifier(s3, bucket, s3Principal)
  }
  try {
    await Promise.all(BUCKETS.map(ensure))
  } finally {
    s3.close()
  }
}

async function ensureBucket(s3: S3, bucket: Bucket): Promise<void> {
  const Bucket = s3.nameOf(bucket)
  await s3.call(async (client) => {
    const present = await client.send(new HeadBucketCommand({ Bucket })).then(
      () => true,
      (error) => {
        if (isMissing(error)) return false
        throw error
      },
    )
    if (!present) {
      await client.send(new CreateBucketCommand({ Bucket })).catch((error: Error) => {
        if (!/^BucketAlready/.test(error.name)) throw error
      })
    }
    const status = async () => (await client.send(new GetBucketVersioningCommand({ Bucket }))).Status
    if ((await status()) === 'Enabled') return
    await client.send(
      new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }),
    )
    if ((await status()) !== 'Enabled') {
      throw new EbbError('bucket_unversioned', `bucket ${Bucket} cannot be versioned`)
    }
  })
}

/** A bucket has one policy: what somebody added to ours is taken back. */
async function admitVerifier(s3: S3, bucket: Bucket, principal: string): Promise<void> {
  const Bucket = s3.nameOf(bucket)
  const Policy = JSON.stringify(verifierPolicy(Bucket, principal, bucket === 'log'))
  await s3.call((client) => client.send(new PutBucketPolicyCommand({ Bucket, Policy })))
}

/** Removes the buckets with all they hold. For tests: no product code calls it. */
export async function dropBuckets(config: Pick<Config, 's3'>): Promise<void> {
  const s3 = createS3(config)
  try {
    for (const bucket of BUCKETS) {
      await purgePrefix(s3, bucket, '')
      await s3.call((client) => client.send(new DeleteBucketCommand({ Bucket: s3.nameOf(bucket) })))
    }
  } finally {
    s3.close()
  }
}
