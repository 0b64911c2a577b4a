import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createJournalSealer } from '../../activities/journal-sealer.ts'
import { createFileKeyProvider } from '../../postgres/file-key-provider.ts'
import { ensureBuckets } from '../../s3/buckets.ts'
import { createS3, type S3 } from '../../s3/client.ts'
import { getObject } from '../../s3/get-object.ts'
import {
  type JournalEntry,
  type JournalSealer,
  listJournal,
  purgeJournalEntry,
  readJournal,
  readJournalEntry,
  writeJournalEntry,
} from '../../s3/journal.ts'
import { listVersions } from '../../s3/list-versions.ts'
import { putObject } from '../../s3/put-object.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let s3: S3
let sealer: JournalSealer
beforeAll(async () => {
  stage = await createStage({ migrate: false })
  await ensureBuckets(stage.config)
  s3 = createS3(stage.config)
  sealer = createJournalSealer(await createFileKeyProvider(join(stage.config.home, 'keys.json')))
})
afterAll(async () => {
  s3?.close()
  await stage?.close()
})

function entry(writtenAtMs: number, requestId = randomUUID()): JournalEntry {
  return {
    version: 1,
    requestId,
    app: 'shop',
    tokens: [randomBytes(16).toString('hex')],
    handles: [randomBytes(32).toString('hex')],
    subjectIds: [randomUUID()],
    writtenAtMs,
  }
}

test('entries come back as written, oldest first, and a repeat replaces its first try', async () => {
  const [later, earlier] = [entry(2_000), entry(1_000)]
  for (const one of [later, earlier, earlier]) await writeJournalEntry(s3, sealer, one)
  expect(await readJournal(s3, sealer)).toEqual([earlier, later])
  const grown = { ...earlier, tokens: [...earlier.tokens, randomBytes(16).toString('hex')] }
  await writeJournalEntry(s3, sealer, grown)
  expect(await readJournalEntry(s3, sealer, earlier.requestId)).toEqual(grown)
  expect((await listVersions(s3, 'journal', `entry/${earlier.requestId}`)).length).toBe(1)
})

test('an entry lies sealed: no token, handle or id of a person stands in the object', async () => {
  const one = entry(3_000)
  await writeJournalEntry(s3, sealer, one)
  const bytes = await getObject(s3, 'journal', `entry/${one.requestId}`)
  expect(bytes?.includes('shop')).toBe(false)
  for (const secret of [...one.tokens, ...one.handles, ...one.subjectIds]) {
    expect(bytes?.includes(secret)).toBe(false)
    expect(bytes?.includes(Buffer.from(secret.replaceAll('-', ''), 'hex'))).toBe(false)
  }
})

test('an entry that was changed, or put in the place of another, stops the reader', async () => {
  const [one, other] = [entry(4_000), entry(5_000)]
  await writeJournalEntry(s3, sealer, one)
  await writeJournalEntry(s3, sealer, other)
  const bytes = (await getObject(s3, 'journal', `entry/${one.requestId}`))!
  await putObject(s3, 'journal', `entry/${other.requestId}`, bytes)
  await expect(readJournal(s3, sealer)).rejects.toMatchObject({ code: 'journal_unreadable' })
  bytes[bytes.length - 20]! ^= 1
  await putObject(s3, 'journal', `entry/${one.requestId}`, bytes)
  await expect(readJournalEntry(s3, sealer, one.requestId)).rejects.toMatchObject({
    code: 'journal_unreadable',
  })
  for (const { requestId } of [one, other]) await purgeJournalEntry(s3, requestId)
})

test('a purged entry leaves no version, and the others stay', async () => {
  const [one, other] = [entry(6_000), entry(7_000)]
  await writeJournalEntry(s3, sealer, one)
  await writeJournalEntry(s3, sealer, other)
  await purgeJournalEntry(s3, one.requestId)
  expect(await listVersions(s3, 'journal', `entry/${one.requestId}`)).toEqual([])
  expect(await listJournal(s3)).toContain(other.requestId)
  expect(await readJournalEntry(s3, sealer, one.requestId)).toBeUndefined()
})
