import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { createLogger } from '../../runtime/logger.ts'
import { ensureBuckets } from '../../s3/buckets.ts'
import { createS3, type S3 } from '../../s3/client.ts'
import { getObject } from '../../s3/get-object.ts'
import { listObjects } from '../../s3/list-objects.ts'
import { listVersions } from '../../s3/list-versions.ts'
import { listUnfinishedUploads } from '../../s3/multipart-uploads.ts'
import { putObject } from '../../s3/put-object.ts'
import { verifierPolicy } from '../../s3/verifier-policy.ts'
import { BUCKETS, type Bucket } from '../../schemas/bucket.ts'
import { type OpenVerifier, openVerifier } from '../../workers/verifier/start-verifier.ts'
import { createStage, type Stage } from '../stage.ts'

// Whoever certifies that objects are gone must see all of them, and be able to make none of them go.
const KEY = 'file'

let stage: Stage
let s3: S3
let opened: OpenVerifier
/** As the verifier's process opens it. */
let verifier: S3
/** Of the object of each bucket; an upload of the same key was begun and not ended. */
const standing = new Map<Bucket, { versionId: string; uploadId: string }>()

const namesIn = (bucket: Bucket) => ({ Bucket: s3.nameOf(bucket), Key: KEY })

beforeAll(async () => {
  stage = await createStage()
  s3 = createS3(stage.config)
  opened = await openVerifier(stage.config, createLogger('test', 'silent'), (error) => {
    throw error
  })
  verifier = opened.deps.s3
  for (const bucket of BUCKETS) {
    const versionId = await putObject(s3, bucket, KEY, bucket)
    const begun = await s3.call((client) => client.send(new CreateMultipartUploadCommand(namesIn(bucket))))
    standing.set(bucket, { versionId, uploadId: begun.UploadId! })
  }
})
afterAll(async () => {
  s3?.close()
  await opened?.close()
  await stage?.close()
})

/** Also where the server answers for each object by itself. */
async function isRefused(work: (client: S3Client) => Promise<unknown>): Promise<boolean> {
  try {
    const answer = (await verifier.call(work)) as { Errors?: { Code?: string }[] }
    return answer.Errors?.[0]?.Code === 'AccessDenied'
  } catch (error) {
    return (error as Error).message === 'object storage answered 403 AccessDenied'
  }
}

// On object storage that hands out no account of the verifier's it has everyone's rights, and says so at its start.
describe.skipIf(!inject('engines').EBB_VERIFIER_S3_PRINCIPAL)("the verifier's account", () => {
  describe.each(BUCKETS)('in the bucket %s', (bucket) => {
    test('finds what stands there: objects, versions, unfinished uploads', async () => {
      const { versionId, uploadId } = standing.get(bucket)!
      await verifier.call((client) => client.send(new HeadBucketCommand({ Bucket: s3.nameOf(bucket) })))
      expect((await listObjects(verifier, bucket, KEY)).map(({ key }) => key)).toEqual([KEY])
      expect((await listVersions(verifier, bucket, KEY)).map((one) => one.versionId)).toEqual([versionId])
      expect(await listUnfinishedUploads(verifier, bucket, KEY)).toEqual([{ key: KEY, uploadId }])
      expect(String(await getObject(verifier, bucket, KEY))).toBe(bucket)
      expect(await getObject(verifier, bucket, 'none')).toBeUndefined()
    })

    test('makes nothing of it go', async () => {
      const { versionId: VersionId, uploadId: UploadId } = standing.get(bucket)!
      const at = namesIn(bucket)
      const Objects = [{ Key: KEY }, { Key: KEY, VersionId }]
      for (const command of [
        (client) => client.send(new DeleteObjectCommand(at)),
        (client) => client.send(new DeleteObjectCommand({ ...at, VersionId })),
        (client) => client.send(new DeleteObjectsCommand({ ...at, Delete: { Objects } })),
        (client) => client.send(new AbortMultipartUploadCommand({ ...at, UploadId })),
        (client) => client.send(new DeleteBucketCommand(at)),
      ] satisfies ((client: S3Client) => Promise<unknown>)[]) {
        expect(await isRefused(command), String(command)).toBe(true)
      }
      expect((await listVersions(s3, bucket, KEY)).map((one) => one.versionId)).toEqual([VersionId])
      expect(await listUnfinishedUploads(s3, bucket, KEY)).toHaveLength(1)
    })

    test('gives itself no more rights, and hides nothing by a bucket without versions', async () => {
      const { Bucket } = namesIn(bucket)
      const Policy = JSON.stringify(verifierPolicy(Bucket, stage.config.verifier.s3Principal, true))
      const VersioningConfiguration = { Status: 'Suspended' as const }
      for (const command of [
        (client) => client.send(new PutBucketPolicyCommand({ Bucket, Policy })),
        (client) => client.send(new DeleteBucketPolicyCommand({ Bucket })),
        (client) => client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration })),
      ] satisfies ((client: S3Client) => Promise<unknown>)[]) {
        expect(await isRefused(command), String(command)).toBe(true)
      }
    })
  })

  const written = BUCKETS.filter((bucket) => bucket !== 'log')
  test.each(written)('writes nothing to %s', async (bucket) => {
    const copied = { ...namesIn(bucket), CopySource: `${s3.nameOf('log')}/${KEY}` }
    await expect(putObject(verifier, bucket, KEY, 'other')).rejects.toMatchObject({ code: 's3_refused' })
    await expect(putObject(verifier, bucket, 'new', 'other')).rejects.toMatchObject({ code: 's3_refused' })
    expect(await isRefused((client) => client.send(new CopyObjectCommand(copied)))).toBe(true)
    expect(await isRefused((client) => client.send(new CreateMultipartUploadCommand(namesIn(bucket))))).toBe(
      true,
    )
    expect((await listVersions(s3, bucket, '')).map(({ key }) => key)).toEqual([KEY])
  })

  test('writes the log, where what it writes over stays as a version', async () => {
    await putObject(verifier, 'log', 'checkpoint', 'one')
    await putObject(verifier, 'log', 'checkpoint', 'two')
    expect(String(await getObject(verifier, 'log', 'checkpoint'))).toBe('two')
    expect(await listVersions(s3, 'log', 'checkpoint')).toHaveLength(2)
  })

  test('has no bucket of its own, and none but these', async () => {
    const Bucket = `${stage.config.s3.bucketPrefix}own`
    expect(await isRefused((client) => client.send(new CreateBucketCommand({ Bucket })))).toBe(true)
    const { Buckets } = await verifier.call((client) => client.send(new ListBucketsCommand({})))
    expect(Buckets ?? []).toEqual([])
    await s3.call((client) => client.send(new CreateBucketCommand({ Bucket })))
    expect(await isRefused((client) => client.send(new ListObjectsV2Command({ Bucket })))).toBe(true)
    await s3.call((client) => client.send(new DeleteBucketCommand({ Bucket })))
  })

  test('loses at the next migration what somebody has given it beyond that', async () => {
    const { Bucket } = namesIn('exports')
    const Policy = JSON.stringify(verifierPolicy(Bucket, stage.config.verifier.s3Principal, true))
    await s3.call((client) => client.send(new PutBucketPolicyCommand({ Bucket, Policy })))
    await putObject(verifier, 'exports', 'given', 'x')
    await ensureBuckets(stage.config)
    await expect(putObject(verifier, 'exports', 'given', 'y')).rejects.toMatchObject({ code: 's3_refused' })
  })
})
