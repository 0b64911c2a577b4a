/** Why a certificate, a proof, a key or a checkpoint is refused. Closed: docs/certificate-format.md lists each. */
export type CertificateErrorCode =
  // form
  | 'too-large'
  | 'not-utf8'
  | 'not-canonical'
  | 'not-canonical-base64'
  | 'schema'
  | 'data'
  | 'key-malformed'
  | 'note-malformed'
  | 'checkpoint-malformed'
  | 'proof-malformed'
  | 'leaf-malformed'
  // signatures
  | 'unknown-key'
  | 'bad-signature'
  | 'key-retired'
  | 'wrong-origin'
  | 'checkpoint-unsigned'
  | 'checkpoint-bad-signature'
  // the log
  | 'not-included'
  | 'inconsistent'
  | 'stale-checkpoint'
  | 'issued-in-future'
  | 'witness-missing'
  | 'witness-bad-signature'
  | 'leaves-mismatch'
  | 'duplicate-leaf'
  | 'superseded'
  // what the asker expects
  | 'subject-mismatch'
  | 'data-map-mismatch'

/** Thrown by every reader and signer of this folder. The message never quotes what was read. */
export class CertificateError extends Error {
  readonly code: CertificateErrorCode
  constructor(code: CertificateErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CertificateError'
    this.code = code
  }
}
