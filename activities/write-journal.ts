import { readRequest, setState } from '../postgres/privacy-requests.ts'
import { type RequestDeps, readSealed } from '../postgres/sealed-requests.ts'
import { EbbError } from '../runtime/errors.ts'
import type { S3 } from '../s3/client.ts'
import { type JournalSealer, purgeJournalEntry, writeJournalEntry } from '../s3/journal.ts'
import type { ErasureActivities } from '../schemas/erasure.ts'

export interface WriteJournalDeps extends RequestDeps {
  s3: S3
  sealer: JournalSealer
  /** Milliseconds since 1970. */
  now(): number
}

/**
 * Writes down, before anything is destroyed, what a restore of an older copy must erase again. The state goes first: were the saga
 * terminated in between and started again, nobody could take back what a restore would erase. An attempt of a terminated run may
 * wake late, when the next run has taken the request back: no entry of it may stay.
 */
export function createWriteJournal(deps: WriteJournalDeps): ErasureActivities['writeJournal'] {
  return async ({ requestId }) => {
    const { app } = await readRequest(deps.postgres, requestId)
    const { handles, subjects } = await readSealed(deps, requestId)
    if (!(await setState(deps.postgres, requestId, 'erasing'))) throw takenBack()
    await writeJournalEntry(deps.s3, deps.sealer, {
      version: 1,
      requestId,
      app,
      tokens: subjects.map((subject) => subject.token),
      handles: [...new Set([...handles, ...subjects.map((subject) => subject.handle)])],
      subjectIds: subjects.map((subject) => subject.subjectId),
      writtenAtMs: deps.now(),
    })
    // Taken back while the entry was on its way: whoever did has purged the journal already, perhaps too early.
    if ((await readRequest(deps.postgres, requestId)).progress.ending === undefined) return
    await purgeJournalEntry(deps.s3, requestId)
    throw takenBack()
  }
}

function takenBack(): EbbError {
  return new EbbError('request_unknown', 'the request has been taken back')
}
