import { z } from 'zod'
import { EbbError } from '../runtime/errors.ts'
import type { S3 } from './client.ts'
import { getObject } from './get-object.ts'
import { listObjects } from './list-objects.ts'
import { purgeObject, purgeOldVersions } from './purge.ts'
import { putObject } from './put-object.ts'

export type JournalErrorCode = 'journal_failed' | 'journal_unreadable'

/** What a restore must erase again: written before anything is destroyed, purged when no copy is older. */
export const JournalEntry = z.strictObject({
  version: z.literal(1),
  requestId: z.uuid(),
  app: z.string(),
  /** 16 bytes in hex each. */
  tokens: z.array(z.string().regex(/^[0-9a-f]{32}$/)),
  /** 32 bytes in hex each; also of ids that no subject bears. */
  handles: z.array(z.string().regex(/^[0-9a-f]{64}$/)),
  subjectIds: z.array(z.uuid()),
  /** Milliseconds since 1970. */
  writtenAtMs: z.number().int(),
})
export type JournalEntry = z.infer<typeof JournalEntry>

/** Seals under a key of the key provider; `context` is bound in, so that no entry passes for another. */
export interface JournalSealer {
  seal(plaintext: Buffer, context: string): Promise<Buffer>
  open(sealed: Buffer, context: string): Promise<Buffer>
}

const keyOf = (requestId: string) => `entry/${requestId}`
const contextOf = (requestId: string) => `ebb journal entry ${requestId}`

/**
 * Writes the entry of a request and reads it back: what follows may destroy what it was made from. An earlier version is
 * purged then (a repeat may know more subjects, never fewer).
 * @throws EbbError `journal_failed` when what can be read back is not what was written
 */
export async function writeJournalEntry(s3: S3, sealer: JournalSealer, entry: JournalEntry): Promise<void> {
  const plaintext = Buffer.from(JSON.stringify(entry))
  const key = keyOf(entry.requestId)
  await putObject(s3, 'journal', key, await sealer.seal(plaintext, contextOf(entry.requestId)))
  const stored = await getObject(s3, 'journal', key)
  const read = stored && (await sealer.open(stored, contextOf(entry.requestId)))
  if (!read?.equals(plaintext)) {
    throw new EbbError('journal_failed', 'the journal does not hold what was written')
  }
  await purgeOldVersions(s3, 'journal', key)
}

/** One entry, or undefined. @throws EbbError `journal_unreadable` when it does not open or is of another shape */
export async function readJournalEntry(
  s3: S3,
  sealer: JournalSealer,
  requestId: string,
): Promise<JournalEntry | undefined> {
  const sealed = await getObject(s3, 'journal', keyOf(requestId))
  return sealed && open(sealer, requestId, sealed)
}

/**
 * All entries, oldest first. An entry that does not open stops the reader: to leave one person out of a restore is the very
 * thing that the journal is there against. @throws EbbError `journal_unreadable`
 */
export async function readJournal(s3: S3, sealer: JournalSealer): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = []
  for (const { key } of await listObjects(s3, 'journal', keyOf(''))) {
    const requestId = key.slice(keyOf('').length)
    const entry = await readJournalEntry(s3, sealer, requestId)
    // Closed while we read: no copy holds that person any more.
    if (entry) entries.push(entry)
  }
  return entries.sort((a, b) => a.writtenAtMs - b.writtenAtMs)
}

/** Request ids of the entries, without opening them. */
export async function listJournal(s3: S3): Promise<string[]> {
  const found = await listObjects(s3, 'journal', keyOf(''))
  return found.map(({ key }) => key.slice(keyOf('').length))
}

/** Removes an entry with all its versions; for a request whose every copy is gone. Repeating it changes nothing. */
export async function purgeJournalEntry(s3: S3, requestId: string): Promise<void> {
  await purgeObject(s3, 'journal', keyOf(requestId))
}

async function open(sealer: JournalSealer, requestId: string, sealed: Buffer): Promise<JournalEntry> {
  try {
    const plaintext = await sealer.open(sealed, contextOf(requestId))
    const entry = JournalEntry.parse(JSON.parse(plaintext.toString('utf8')))
    if (entry.requestId !== requestId) throw new Error('another request')
    return entry
  } catch (error) {
    if (error instanceof EbbError && error.code === 's3_unavailable') throw error
    // The cause is not passed on: a parser's message quotes what it read.
    throw new EbbError('journal_unreadable', `the journal entry of request ${requestId} does not open`)
  }
}
