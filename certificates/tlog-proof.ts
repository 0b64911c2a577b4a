import { decodeBase64 } from './canonical-base64.ts'
import { decodeUtf8 } from './canonical-json.ts'
import { CertificateError } from './certificate-error.ts'
import { parseDecimal } from './checkpoint.ts'

/** C2SP tlog-proof@v1: an index, an inclusion proof, and the checkpoint that it leads to, verbatim. */
export interface TlogProof {
  index: number
  /** From the leaf's sibling up to the root's child, 32 bytes each. */
  hashes: Buffer[]
  /** The signed note, with every signature line. */
  checkpoint: string
}

const HEADER = 'c2sp.org/tlog-proof@v1'
/** A tree of 2^53 leaves has no more levels. */
const MAX_HASHES = 53

export function formatTlogProof({ index, hashes, checkpoint }: TlogProof): string {
  return [HEADER, `index ${index}`, ...hashes.map((hash) => hash.toString('base64')), '', checkpoint].join(
    '\n',
  )
}

/**
 * Reads a proof. An `extra` line is refused: nothing authenticates it, and Ebb's proofs have no use for one, so that
 * one could only be there to be believed.
 * @throws CertificateError `proof-malformed`, `too-large`, `not-utf8`, `not-canonical-base64`.
 */
export function parseTlogProof(bytes: Uint8Array): TlogProof {
  const text = decodeUtf8(bytes)
  const separator = text.indexOf('\n\n')
  if (separator < 0) throw malformed('a proof without a checkpoint')
  const [header, indexLine, ...encoded] = text.slice(0, separator).split('\n')
  if (header !== HEADER) throw malformed('not a tlog-proof@v1')
  if (!indexLine?.startsWith('index ')) throw malformed('the second line is not the index')
  if (encoded.length > MAX_HASHES) throw malformed(`more than ${MAX_HASHES} hashes`)
  const hashes = encoded.map(decodeBase64)
  if (hashes.some((hash) => hash.length !== 32)) throw malformed('a hash that has not 32 bytes')
  return {
    index: parseDecimal(indexLine.slice('index '.length)),
    hashes,
    checkpoint: text.slice(separator + 2),
  }
}

function malformed(why: string): CertificateError {
  return new CertificateError('proof-malformed', why)
}
