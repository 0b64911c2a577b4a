import { readRequest, setState } from '../postgres/privacy-requests.ts'
import { type RequestDeps, readSealed } from '../postgres/sealed-requests.ts'
import type { S3 } from '../s3/client.ts'
import { type JournalSealer, writeJournalEntry } from '../s3/journal.ts'
import type { ErasureActivities } from '../schemas/erasure.ts'

export interface WriteJournalDeps extends RequestDeps {
  s3: S3
  sealer: JournalSealer
  /** Milliseconds since 1970. */
  now(): number
}

/**
 * Writes down, before anything is destroyed, what a restore of an older copy must erase again. The state goes first: were the saga
 * terminated in between and started again, nobody could take back what a restore would erase.
 */
export function createWriteJournal(deps: WriteJournalDeps): ErasureActivities['writeJournal'] {
  return async ({ requestId }) => {
    const { app } = await readRequest(deps.postgres, requestId)
    const { handles, subjects } = await readSealed(deps, requestId)
    await setState(deps.postgres, requestId, 'erasing')
    await writeJournalEntry(deps.s3, deps.sealer, {
      version: 1,
      requestId,
      app,
      tokens: subjects.map((subject) => subject.token),
      handles: [...new Set([...handles, ...subjects.map((subject) => subject.handle)])],
      subjectIds: subjects.map((subject) => subject.subjectId),
      writtenAtMs: deps.now(),
    })
  }
}
