import { CreateMultipartUploadCommand, DeleteObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dropBuckets, ensureBuckets } from '../../s3/buckets.ts'
import { createS3, type S3 } from '../../s3/client.ts'
import { getObject } from '../../s3/get-object.ts'
import { listObjects } from '../../s3/list-objects.ts'
import { listVersions } from '../../s3/list-versions.ts'
import { listUnfinishedUploads } from '../../s3/multipart-uploads.ts'
import { purgeObject, purgeOldVersions, purgePrefix } from '../../s3/purge.ts'
import { putObject } from '../../s3/put-object.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let s3: S3
beforeAll(async () => {
  stage = await createStage({ migrate: false })
  await ensureBuckets(stage.config)
  s3 = createS3(stage.config)
})
afterAll(async () => {
  s3?.close()
  await stage?.close()
})

/** A key with two versions, a delete marker and an upload that was never finished. */
async function litter(key: string): Promise<void> {
  const Bucket = s3.nameOf('archive')
  await putObject(s3, 'archive', key, 'one')
  await putObject(s3, 'archive', key, 'two')
  await s3.call((client) => client.send(new DeleteObjectCommand({ Bucket, Key: key })))
  const { UploadId } = await s3.call((client) =>
    client.send(new CreateMultipartUploadCommand({ Bucket, Key: key })),
  )
  await s3.call((client) =>
    client.send(new UploadPartCommand({ Bucket, Key: key, UploadId, PartNumber: 1, Body: 'part' })),
  )
}

test('a delete alone leaves every version: that is why there is a purge', async () => {
  await litter('plain/a')
  expect(await listObjects(s3, 'archive', 'plain/')).toEqual([])
  expect((await listVersions(s3, 'archive', 'plain/')).length).toBe(3)
  expect((await listUnfinishedUploads(s3, 'archive', 'plain/')).length).toBe(1)
})

test('a purge takes versions, delete markers and unfinished uploads below a prefix, and nothing beside it', async () => {
  await litter('mine/a')
  await putObject(s3, 'archive', 'mine/b', 'current')
  await litter('mine2/a')
  const purged = await purgePrefix(s3, 'archive', 'mine/')
  expect(purged).toMatchObject({ uploads: 1 })
  expect(purged.versions.length).toBe(4)
  expect(await listVersions(s3, 'archive', 'mine/')).toEqual([])
  expect(await listUnfinishedUploads(s3, 'archive', 'mine/')).toEqual([])
  expect((await listVersions(s3, 'archive', 'mine2/')).length).toBe(3)
  expect(await purgePrefix(s3, 'archive', 'mine/')).toEqual({ versions: [], uploads: 0 })
})

test('an object is purged without its neighbours whose names begin alike', async () => {
  await litter('file')
  await putObject(s3, 'archive', 'file-2', 'stays')
  await purgeObject(s3, 'archive', 'file')
  expect((await listVersions(s3, 'archive', 'file')).map((one) => one.key)).toEqual(['file-2'])
})

// Seen: the server was killed within a purge, and kept a version on its disk that it no longer listed.
test('what is current goes last, so that whatever is left of a purge that dies is still listed', async () => {
  for (const key of ['order/a', 'order/b']) await litter(key)
  await putObject(s3, 'archive', 'order/b', 'three')
  const current = await listVersions(s3, 'archive', 'order/').then((all) => all.filter((one) => one.isLatest))
  const deleted: string[] = []
  const watched: S3 = {
    ...s3,
    call: (work) =>
      s3.call((client) => {
        client.middlewareStack.add(
          (next, { commandName }) =>
            (args) => {
              const { Delete } = args.input as { Delete?: { Objects: { VersionId: string }[] } }
              if (commandName === 'DeleteObjectsCommand')
                deleted.push(...Delete!.Objects.map((one) => one.VersionId))
              return next(args)
            },
          { name: 'order', override: true },
        )
        return work(client)
      }),
  }
  const { versions } = await purgePrefix(watched, 'archive', 'order/')
  expect(deleted.length).toBe(versions.length)
  expect(deleted.slice(-current.length).toSorted()).toEqual(current.map((one) => one.versionId).toSorted())
})

test('old versions go and the newest stays', async () => {
  await putObject(s3, 'archive', 'kept/a', 'one')
  const newest = await putObject(s3, 'archive', 'kept/a', 'two')
  await litter('kept/b')
  await purgeOldVersions(s3, 'archive', 'kept/')
  expect((await listVersions(s3, 'archive', 'kept/')).map((one) => one.versionId)).toEqual([newest])
  expect((await getObject(s3, 'archive', 'kept/a'))?.toString()).toBe('two')
  expect(await listUnfinishedUploads(s3, 'archive', 'kept/')).toEqual([])
})

test('more than one page of versions is purged', async () => {
  for (let at = 0; at < 1_050; at += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => putObject(s3, 'exports', `many/${at + i}`, 'x')))
  }
  const { versions } = await purgePrefix(s3, 'exports', 'many/')
  // The development server repeats a version where a page ends.
  expect(new Set(versions.map((one) => one.key)).size).toBe(1_050)
  expect(await listVersions(s3, 'exports', 'many/')).toEqual([])
})

test('a missing object is undefined, a server that is away is told apart', async () => {
  expect(await getObject(s3, 'log', 'nothing')).toBeUndefined()
  const away = createS3({ s3: { ...stage.config.s3, endpoint: 'http://127.0.0.1:9' } })
  await expect(getObject(away, 'log', 'nothing')).rejects.toMatchObject({ code: 's3_unavailable' })
  away.close()
})

test('buckets are made once and can go with all they hold', async () => {
  await ensureBuckets(stage.config)
  await litter('last')
  const { s3, verifier } = stage.config
  const other = { s3: { ...s3, bucketPrefix: `${s3.bucketPrefix}x-` }, verifier }
  await ensureBuckets(other)
  await dropBuckets(other)
})
