import { z } from 'zod'

/**
 * Every statement that Ebb signs about an erasure, and the leaf that the transparency log keeps of it.
 * docs/certificate-format.md explains each field. No field may hold personal data: people stand in a certificate as
 * salted commitments, and texts are the issuer's own.
 */

/** SHA-256, lower-case hex. */
const Hash = z.string().regex(/^[0-9a-f]{64}$/)
/** UTC, whole seconds: `2026-11-21T09:00:00Z`. */
const Time = z.iso.datetime({ precision: 0 })
/** A short text of the issuer: printable, one line. */
const Text = z
  .string()
  .min(1)
  .max(300)
  .regex(/^[^\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]+$/u)
const Name = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._:/-]{0,99}$/)
/** Name of the log, as in its checkpoints. */
const Origin = z.string().regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+(\/[a-z0-9._-]+)*$/)

/** What kind of identifier a commitment hides. */
export const IdentifierLabel = z.enum(['email', 'userId', 'anonymousId', 'phone'])
export type IdentifierLabel = z.infer<typeof IdentifierLabel>

const Commitment = z.strictObject({ label: IdentifierLabel, commitment: Hash })

/** What a store's eraser leaves for others to check: a hash of the full evidence, and public names of its parts. */
const Evidence = z.strictObject({
  hash: Hash,
  /** Mutation ids, part names, object versions, key ids: never a token or a handle. */
  ids: z.array(Text).max(200),
})

const Receipt = z.discriminatedUnion('outcome', [
  z.strictObject({
    outcome: z.literal('erased'),
    store: Name,
    method: z.enum(['deleted', 'rewritten', 'key-destroyed', 'expired', 'nothing-held']),
    at: Time,
    evidence: Evidence,
    /** An external processor's word, which the verifier could not check itself. */
    assertedBy: Text.optional(),
  }),
  z.strictObject({
    outcome: z.literal('retained'),
    store: Name,
    /** What is kept. */
    what: Text,
    /** The legal ground: `GDPR Art. 17(3)(e)`. */
    article: Text,
    until: Time,
    assertedBy: Text.optional(),
  }),
  z.strictObject({
    outcome: z.literal('unreachable'),
    store: Name,
    since: Time,
    assertedBy: Text.optional(),
  }),
  z.strictObject({
    outcome: z.literal('waiting'),
    store: Name,
    /** Stores out of reach that must be erased first: keys go last. */
    after: z.array(Name).min(1).max(500),
  }),
])
export type Receipt = z.infer<typeof Receipt>

/** A copy that dies of age: a backup, a log segment, an old wrapping key. `goneAt` is when a reader found it gone. */
const Horizon = z.strictObject({ store: Name, what: Text, expiresBy: Time, goneAt: Time.optional() })

const Statement = z.strictObject({
  version: z.literal(1),
  /** The log that this statement is in; a proof of another log does not count. */
  origin: Origin,
  issuedAt: Time,
  /** Who answers for it, for people to read. */
  issuer: Text,
  /** Program and version that issued it. */
  tool: Name,
  /** Fingerprint of the signing key. */
  key: Hash,
  /** Digest of the statement before this one about the same request. */
  previous: Hash.nullable(),
})

const AboutSubject = Statement.extend({
  request: z.uuid(),
  app: Name,
  subject: z.array(Commitment).min(1).max(20),
})

const WithReceipts = AboutSubject.extend({
  /** Hash of the data map: the list of all places that were looked into. */
  dataMap: Hash,
  receipts: z.array(Receipt).min(1).max(500),
  horizons: z.array(Horizon).max(500),
})

const Kinds = {
  received: AboutSubject.extend({ kind: z.literal('received'), deadline: Time }),
  certificate: WithReceipts.extend({ kind: z.literal('certificate') }),
  partial: WithReceipts.extend({ kind: z.literal('partial') }),
  closed: WithReceipts.extend({ kind: z.literal('closed') }),
  refusal: AboutSubject.extend({ kind: z.literal('refusal'), article: Text, reason: Text }),
  supersession: Statement.extend({
    kind: z.literal('supersession'),
    request: z.uuid(),
    /** Digest of the statement that is withdrawn. */
    supersedes: Hash,
    reason: z.enum(['survivor-found', 'restored-copy-found', 'issued-in-error', 'hold-released', 'replaced']),
  }),
  'key-retirement': Statement.extend({
    kind: z.literal('key-retirement'),
    /** Fingerprint of the key that signs nothing from this leaf on. */
    retires: Hash,
    reason: z.enum(['rotation', 'compromise']),
  }),
}

/** What is signed: the certificate without its signatures. */
export const CertificateBody = z.discriminatedUnion('kind', [
  Kinds.received,
  Kinds.certificate,
  Kinds.partial,
  Kinds.closed,
  Kinds.refusal,
  Kinds.supersession,
  Kinds['key-retirement'],
])
export type CertificateBody = z.infer<typeof CertificateBody>

/** `value` is base64; 8 KiB leave room for a post-quantum signature beside Ed25519. */
const Signature = z.strictObject({ key: Hash, value: z.base64().min(1).max(8192) })
const signed = { signatures: z.array(Signature).min(1).max(8) }

/** The file `certificate.json`, in RFC 8785 form. */
export const Certificate = z.discriminatedUnion('kind', [
  Kinds.received.extend(signed),
  Kinds.certificate.extend(signed),
  Kinds.partial.extend(signed),
  Kinds.closed.extend(signed),
  Kinds.refusal.extend(signed),
  Kinds.supersession.extend(signed),
  Kinds['key-retirement'].extend(signed),
])
export type Certificate = z.infer<typeof Certificate>
export type CertificateKind = Certificate['kind']

const Entry = z.strictObject({ version: z.literal(1), certificate: Hash })

/**
 * One leaf of the log, in RFC 8785 form. It names a certificate by the SHA-256 of its file, which nobody can guess
 * (the file holds salted commitments and a signature), and says openly only what a stranger's verifier must know.
 */
export const LogLeaf = z.discriminatedUnion('kind', [
  Entry.extend({ kind: z.enum(['received', 'certificate', 'partial', 'closed', 'refusal']) }),
  /** `about`: digest of the withdrawn certificate. */
  Entry.extend({ kind: z.literal('supersession'), about: Hash }),
  /** `about`: fingerprint of the retired key. */
  Entry.extend({ kind: z.literal('key-retirement'), about: Hash }),
])
export type LogLeaf = z.infer<typeof LogLeaf>
