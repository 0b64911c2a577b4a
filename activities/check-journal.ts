import { parseCanonicalJson } from '../certificates/canonical-json.ts'
import { parseCheckpoint } from '../certificates/checkpoint.ts'
import { hashLeaf, rootOf } from '../certificates/merkle-proof.ts'
import { digestOf, parseCertificate, parseLeaf } from '../certificates/read-certificate.ts'
import { parseSignedNote } from '../certificates/signed-note.ts'
import { decodeBundle, tilePath } from '../certificates/tiles.ts'
import { EbbError } from '../runtime/errors.ts'
import type { S3 } from '../s3/client.ts'
import { getObject } from '../s3/get-object.ts'
import type { LogLeaf } from '../schemas/certificate.ts'

export type JournalCheckErrorCode = 'journal_behind_log' | 'log_unreadable'

const BUNDLE = 256

/**
 * Holds the journal against the transparency log: each erasure that was ever certified is either closed (no copy can bring it
 * back) or in the journal. The log is read from its tiles and must give its own checkpoint's root; a certificate that is not
 * there counts as one that nobody can answer for.
 * @param journal request ids of the journal's entries
 * @throws EbbError `journal_behind_log` naming how many requests are missing, `log_unreadable`
 */
export async function checkJournal(s3: S3, journal: ReadonlySet<string>): Promise<void> {
  const leaves = await readLeaves(s3)
  const withdrawn = new Set(leaves.flatMap((leaf) => (leaf.kind === 'supersession' ? [leaf.about] : [])))
  const [certified, closed] = [new Set<string>(), new Set<string>()]
  for (const { kind, certificate } of leaves) {
    if (kind !== 'certificate' && kind !== 'partial' && kind !== 'closed') continue
    const requestId = await requestOf(s3, certificate)
    // Withdrawn: copies may hold the person again.
    if (kind !== 'closed' || withdrawn.has(certificate)) certified.add(requestId)
    else closed.add(requestId)
  }
  const missing = [...certified].filter((requestId) => !journal.has(requestId) && !closed.has(requestId))
  if (missing.length > 0) {
    throw new EbbError(
      'journal_behind_log',
      `the log has ${missing.length} erasures that the journal does not: a restore would bring those people back`,
    )
  }
}

async function requestOf(s3: S3, digest: string): Promise<string> {
  const file = await getObject(s3, 'log', `certificates/${digest}.json`)
  if (!file || digestOf(file) !== digest) {
    throw new EbbError('journal_behind_log', `certificate ${digest} of the log is not there`)
  }
  const certificate = parseCertificate(parseCanonicalJson(file))
  if (!('request' in certificate))
    throw new EbbError('log_unreadable', `certificate ${digest} has no request`)
  return certificate.request
}

/** All leaves up to the checkpoint, proved to be the log's by its root. Without a checkpoint there is no log yet. */
async function readLeaves(s3: S3): Promise<LogLeaf[]> {
  const checkpoint = await getObject(s3, 'log', 'checkpoint')
  if (!checkpoint) return []
  try {
    const { size, root } = parseCheckpoint(parseSignedNote(checkpoint.toString()).text)
    const entries: Buffer[] = []
    for (let index = 0; index * BUNDLE < size; index++) {
      const width = Math.min(BUNDLE, size - index * BUNDLE)
      const bundle =
        (await getObject(s3, 'log', tilePath('entries', index, width))) ??
        (await getObject(s3, 'log', tilePath('entries', index)))
      entries.push(...decodeBundle(bundle ?? Buffer.alloc(0)).slice(0, width))
    }
    if (entries.length !== size || !rootOf(entries.map(hashLeaf)).equals(root))
      throw new Error('other entries')
    return entries.map(parseLeaf)
  } catch (error) {
    if (error instanceof EbbError) throw error
    throw new EbbError('log_unreadable', 'the log’s entries do not give its checkpoint', { cause: error })
  }
}
