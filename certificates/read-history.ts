import type { Certificate, LogLeaf } from '../schemas/certificate.ts'
import { CertificateError } from './certificate-error.ts'
import { hashLeaf, rootOf, siblingRanges, type TreeHead } from './merkle-proof.ts'
import { parseLeaf } from './read-certificate.ts'
import type { TlogProof } from './tlog-proof.ts'

/** The part of a log that a verifier holds in full, proved complete up to the checkpoint. */
export interface History {
  /** Index of the first leaf: 0, or the one after the certificate's. */
  start: number
  leaves: LogLeaf[]
}

/**
 * Proves that these entries are the log's: either all of them, by the root, or all that follow the certificate, since
 * the inclusion proof's right-hand siblings are exactly their hashes. Nobody can leave a supersession out of either.
 * @throws CertificateError `leaves-mismatch`, `leaf-malformed`.
 */
export function readHistory(entries: readonly Uint8Array[], proof: TlogProof, head: TreeHead): History {
  const start = entries.length === head.size ? 0 : proof.index + 1
  if (start + entries.length !== head.size)
    throw mismatch(`${entries.length} entries are neither all nor all later`)
  const hashes = entries.map(hashLeaf)
  if (start === 0 && !rootOf(hashes).equals(head.root)) throw mismatch('the entries do not give the root')
  for (const [at, range] of siblingRanges(proof.index, head.size).entries()) {
    if (range.start < start) continue
    const sibling = rootOf(hashes.slice(range.start - start, range.end - start))
    if (!sibling.equals(proof.hashes[at]!)) throw mismatch('the entries do not give the hashes of the proof')
  }
  return { start, leaves: entries.map(parseLeaf) }
}

/**
 * Looks for what withdraws a certificate. One that rests on another (`closed` on its first certificate) falls with it.
 * @throws CertificateError `superseded`, `duplicate-leaf`.
 */
export function checkStanding(
  certificate: Certificate,
  digest: string,
  index: number,
  history: History,
): void {
  const restsOn = 'receipts' in certificate ? certificate.previous : null
  for (const [at, leaf] of history.leaves.entries()) {
    const position = history.start + at
    if (leaf.kind === 'supersession' && (leaf.about === digest || leaf.about === restsOn)) {
      throw new CertificateError('superseded', `withdrawn by leaf ${position}`)
    }
    if (leaf.certificate === digest && position !== index) {
      throw new CertificateError('duplicate-leaf', `logged again as leaf ${position}`)
    }
  }
}

/** Index of the leaf that retired a key, as far as the history tells. */
export function retirementOf(fingerprint: string, history: History): number | undefined {
  const at = history.leaves.findIndex((leaf) => leaf.kind === 'key-retirement' && leaf.about === fingerprint)
  return at < 0 ? undefined : history.start + at
}

function mismatch(why: string): CertificateError {
  return new CertificateError('leaves-mismatch', why)
}
