import { decodeBase64 } from './canonical-base64.ts'
import { CertificateError } from './certificate-error.ts'
import { parseDecimal } from './checkpoint.ts'
import { EMPTY_ROOT, isConsistent, type TreeHead } from './merkle-proof.ts'
import { type OpenedCheckpoint, openCheckpoint } from './open-checkpoint.ts'
import type { PublicKey } from './public-key.ts'
import { cosignatureLine } from './sign-checkpoint.ts'
import type { Signer } from './signer.ts'

/** C2SP tlog-witness, `add-checkpoint`, without its HTTP: a pure decision. */
export interface AddCheckpoint {
  oldSize: number
  /** Consistency proof from `oldSize` to the checkpoint. */
  proof: Buffer[]
  /** The signed note. */
  checkpoint: string
}

export interface Witness {
  signer: Signer
  /** Keys of the logs that this witness watches. */
  logs: readonly PublicKey[]
}

export type CosignRefusal =
  | 'malformed'
  | 'unknown-origin'
  | 'unsigned'
  | 'older-than-claimed'
  | 'size-conflict'
  | 'split-view'
  | 'inconsistent'

export interface Refused {
  ok: false
  code: CosignRefusal
  /** What the specification has a witness answer over HTTP. */
  status: 400 | 403 | 404 | 409 | 422
  /** With `size-conflict`: the size that this witness last cosigned. */
  size?: number
}

export interface Cosigned {
  ok: true
  origin: string
  /** The signature line, without its newline. */
  line: string
  /** To be stored before the line leaves. */
  state: TreeHead
}

/**
 * Decides whether a witness cosigns. `state` is the last head it cosigned for this origin, undefined if none. Reading
 * the state, deciding and storing the new one must be one transaction: a second request between would roll the log back.
 * @param nowSeconds since 1970.
 */
export function cosign(
  witness: Witness,
  state: TreeHead | undefined,
  request: AddCheckpoint,
  nowSeconds: number,
): Cosigned | Refused {
  const opened = open(request.checkpoint, witness.logs)
  if ('ok' in opened) return opened
  const { head, note } = opened
  const older = state ?? { size: 0, root: EMPTY_ROOT }
  if (request.oldSize > head.size) return { ok: false, code: 'older-than-claimed', status: 400 }
  if (request.oldSize !== older.size) {
    return { ok: false, code: 'size-conflict', status: 409, size: older.size }
  }
  if (head.size === older.size && !head.root.equals(older.root)) {
    return { ok: false, code: 'split-view', status: 409, size: older.size }
  }
  if (!isConsistent(older, head, request.proof)) return { ok: false, code: 'inconsistent', status: 422 }
  return {
    ok: true,
    origin: head.origin,
    line: cosignatureLine(note.text, witness.signer, nowSeconds),
    state: { size: head.size, root: head.root },
  }
}

function open(checkpoint: string, logs: readonly PublicKey[]): OpenedCheckpoint | Refused {
  try {
    return openCheckpoint(checkpoint, logs)
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    if (error.code === 'wrong-origin') return { ok: false, code: 'unknown-origin', status: 404 }
    const unsigned = error.code === 'checkpoint-unsigned' || error.code === 'checkpoint-bad-signature'
    return unsigned
      ? { ok: false, code: 'unsigned', status: 403 }
      : { ok: false, code: 'malformed', status: 400 }
  }
}

/** The body of a request to cosign. */
export function formatAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  return [`old ${oldSize}`, ...proof.map((hash) => hash.toString('base64')), '', checkpoint].join('\n')
}

/** @throws CertificateError `proof-malformed`, `checkpoint-malformed`, `not-canonical-base64`. */
export function parseAddCheckpoint(body: string): AddCheckpoint {
  const separator = body.indexOf('\n\n')
  const [old, ...encoded] = body.slice(0, Math.max(separator, 0)).split('\n')
  if (separator < 0 || !old?.startsWith('old ') || encoded.length > 63) {
    throw new CertificateError('proof-malformed', 'not a request to cosign')
  }
  const proof = encoded.map(decodeBase64)
  if (proof.some((hash) => hash.length !== 32))
    throw new CertificateError('proof-malformed', 'a hash has 32 bytes')
  return { oldSize: parseDecimal(old.slice('old '.length)), proof, checkpoint: body.slice(separator + 2) }
}
