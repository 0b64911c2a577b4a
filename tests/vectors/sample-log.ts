import { createHash } from 'node:crypto'
import { canonicalJson } from '../../certificates/canonical-json.ts'
import { cosign } from '../../certificates/cosign.ts'
import { hashLeaf } from '../../certificates/merkle-proof.ts'
import { createMerkleTree, type MerkleTree } from '../../certificates/merkle-tree.ts'
import { digestOf, leafOf, signedBytes } from '../../certificates/read-certificate.ts'
import { type SignedCertificate, signCertificate } from '../../certificates/sign-certificate.ts'
import { signCheckpoint } from '../../certificates/sign-checkpoint.ts'
import { createSigner, privateKeyFromSeed, type Signer } from '../../certificates/signer.ts'
import { commitToSubject } from '../../certificates/subject-commitment.ts'
import { formatTlogProof } from '../../certificates/tlog-proof.ts'
import type { TrustedKeys } from '../../certificates/trusted-keys.ts'
import type { VerifyInput } from '../../certificates/verify-certificate.ts'
import type { Certificate } from '../../schemas/certificate.ts'

/** A whole little world of fixed keys and times: the same bytes at each run. None of these keys is used anywhere else. */

export const ORIGIN = 'log.shop.example/ebb'
export const START_SECONDS = Date.parse('2026-11-21T09:00:00Z') / 1000

export const logSigner = testSigner('log', ORIGIN, 'log')
export const certificateSigner = testSigner('certificate', 'verifier.shop.example', 'verifier 1')
export const nextCertificateSigner = testSigner('certificate', 'verifier.shop.example', 'verifier 2')
export const witnessSigner = testSigner('witness', 'witness.example', 'witness')
export const strangerWitness = testSigner('witness', 'stranger.example', 'stranger')

export function testSigner(use: Signer['key']['use'], name: string, seed: string): Signer {
  return createSigner(use, name, privateKeyFromSeed(fixedBytes(seed)))
}

/** 32 bytes that are the same at each run. */
export function fixedBytes(label: string): Buffer {
  return createHash('sha256').update(`ebb test vectors: ${label}`).digest()
}

export const trustedKeys: TrustedKeys = {
  logs: [logSigner.key],
  certificates: [{ key: certificateSigner.key }, { key: nextCertificateSigner.key }],
  witnesses: [witnessSigner.key],
}

export const SALT = fixedBytes('salt')
export const SUBJECT = { label: 'email', value: 'ada@example.com', salt: SALT } as const
const REQUEST = '0f9a4e52-6a0c-4a51-9a3e-1f2f5f6a7b8c'
export const DATA_MAP = fixedBytes('data map').toString('hex')

export type Body = Parameters<typeof signCertificate>[0]
type Withdrawal = Extract<Body, { kind: 'supersession' }>['reason']

export function at(seconds: number): string {
  return new Date((START_SECONDS + seconds) * 1000).toISOString().replace('.000Z', 'Z')
}

const DAY = 86_400

const statement = {
  version: 1,
  origin: ORIGIN,
  issuer: 'Shop Ltd, privacy@shop.example',
  tool: 'ebb/0.1.0',
} as const
const about = {
  ...statement,
  request: REQUEST,
  app: 'shop',
  subject: [
    { label: 'email', commitment: commitToSubject(SALT, SUBJECT) },
    { label: 'userId', commitment: commitToSubject(SALT, { label: 'userId', value: 'u-1815' }) },
  ],
} satisfies Partial<Body>

export const receivedBody: Body = {
  ...about,
  kind: 'received',
  issuedAt: at(0),
  previous: null,
  deadline: at(30 * DAY),
}

/** Certificate 1. */
export function certificateBody(previous: string | null = null): Extract<Body, { kind: 'certificate' }> {
  return {
    ...about,
    kind: 'certificate',
    issuedAt: at(600),
    previous,
    dataMap: DATA_MAP,
    receipts: [
      erased('clickhouse/events_raw', 'rewritten', ['mutation_17.txt', 'all_1_40_3']),
      erased('kafka/events', 'key-destroyed', ['shard-key 12']),
      erased('postgres/users_pii', 'key-destroyed', ['shard-key 12']),
      { ...erased('processor/mailer', 'deleted', ['ticket 991']), assertedBy: 'Mailer Inc' },
      {
        outcome: 'retained',
        store: 'postgres/invoices',
        what: 'invoices of 2025',
        article: 'GDPR Art. 17(3)(b)',
        until: '2036-01-01T00:00:00Z',
      },
    ],
    horizons: [
      { store: 's3/ebb-backups', what: 'nightly backups', expiresBy: at(7 * DAY) },
      { store: 'kafka/events', what: 'segments before the block', expiresBy: at(DAY) },
    ],
  }
}

export function closedBody(previous: string): Extract<Body, { kind: 'closed' }> {
  const first = certificateBody(previous)
  const horizons = first.horizons.map((horizon) => ({ ...horizon, goneAt: horizon.expiresBy }))
  return { ...first, kind: 'closed', issuedAt: at(8 * DAY), horizons }
}

export function partialBody(previous: string | null = null): Extract<Body, { kind: 'partial' }> {
  const first = certificateBody(previous)
  const receipts = [
    ...first.receipts,
    { outcome: 'unreachable', store: 'processor/ads', since: at(60) } as const,
  ]
  return { ...first, kind: 'partial', receipts }
}

/** As it is issued while the saga waits: the keys, which go last, are there still. */
export function waitingBody(previous: string | null = null): Extract<Body, { kind: 'partial' }> {
  const partial = partialBody(previous)
  const waiting = { outcome: 'waiting' as const, store: 'keyring', after: ['processor/ads'] }
  return { ...partial, receipts: [...partial.receipts, waiting], horizons: [] }
}

export const refusalBody: Body = {
  ...about,
  kind: 'refusal',
  issuedAt: at(500),
  previous: null,
  article: 'GDPR Art. 12(6)',
  reason: 'The proof of identity did not fit the account',
}

export function supersessionBody(supersedes: string, reason: Withdrawal = 'survivor-found'): Body {
  return {
    ...statement,
    kind: 'supersession',
    request: REQUEST,
    issuedAt: at(9 * DAY),
    previous: supersedes,
    supersedes,
    reason,
  }
}

export function retirementBody(retires: string, seconds = 10 * DAY): Body {
  return {
    ...statement,
    kind: 'key-retirement',
    issuedAt: at(seconds),
    previous: null,
    retires,
    reason: 'compromise',
  }
}

function erased(store: string, method: 'deleted' | 'rewritten' | 'key-destroyed', ids: string[]) {
  const evidence = { hash: fixedBytes(`evidence ${store}`).toString('hex'), ids }
  return { outcome: 'erased' as const, store, method, at: at(300), evidence }
}

export interface SampleLog {
  tree: MerkleTree
  entries: Buffer[]
  add(signed: SignedCertificate): number
  /** Signed by the log, cosigned by the witness unless told otherwise. */
  checkpoint(size?: number, options?: { seconds?: number; witnessed?: boolean; signer?: Signer }): string
  proof(index: number, size?: number, options?: Parameters<SampleLog['checkpoint']>[1]): Buffer
}

/** A log that begins with other people's leaves. `flavour` makes it another log with the same keys. */
export function createSampleLog(others = 0, flavour = ''): SampleLog {
  const tree = createMerkleTree()
  const entries: Buffer[] = []
  const append = (entry: Buffer) => {
    entries.push(entry)
    return tree.append(hashLeaf(entry))
  }
  const log: SampleLog = {
    tree,
    entries,
    add: (signed) => append(signed.leaf),
    checkpoint(size = tree.size(), { seconds = 20 * DAY, witnessed = true, signer = logSigner } = {}) {
      const head = tree.head(size)
      const checkpoint = signCheckpoint(head, signer, START_SECONDS + seconds)
      if (!witnessed) return checkpoint
      const witness = { signer: witnessSigner, logs: [signer.key] }
      const request = { oldSize: 0, proof: [], checkpoint }
      const cosigned = cosign(witness, undefined, request, START_SECONDS + seconds + 1)
      if (!cosigned.ok) throw new Error(cosigned.code)
      return `${checkpoint}${cosigned.line}\n`
    },
    proof(index, size = tree.size(), options = {}) {
      const checkpoint = log.checkpoint(size, options)
      return Buffer.from(formatTlogProof({ index, hashes: tree.inclusion(index, size), checkpoint }))
    },
  }
  for (let other = 0; other < others; other++) append(otherLeaf(`${flavour}${other}`))
  return log
}

function otherLeaf(label: string): Buffer {
  return Buffer.from(`{"certificate":"${fixedBytes(label).toString('hex')}","kind":"received","version":1}`)
}

/** A request from its receipt to its closing, among strangers' leaves. */
export function createSampleRequest() {
  const log = createSampleLog(5)
  const received = signCertificate(receivedBody, certificateSigner)
  log.add(received)
  const first = signCertificate(certificateBody(received.digest), certificateSigner)
  const firstIndex = log.add(first)
  for (const label of ['x', 'y', 'z'])
    log.entries.push(otherLeaf(label)) && log.tree.append(hashLeaf(otherLeaf(label)))
  const closed = signCertificate(closedBody(first.digest), certificateSigner)
  const closedIndex = log.add(closed)
  return { log, received, first, firstIndex, closed, closedIndex }
}

/** Many requests in one log, of each kind of certificate in turn, and each about somebody else. */
export function createManyCertificates(count: number) {
  const log = createSampleLog()
  const bodies = [
    certificateBody(),
    partialBody(),
    closedBody(fixedBytes('before').toString('hex')),
    refusalBody,
  ]
  const signed = Array.from({ length: count }, (_, i) => {
    const salt = fixedBytes(`salt ${i}`)
    const subject = [{ label: 'email', commitment: commitToSubject(salt, SUBJECT) } as const]
    const request = `0f9a4e52-6a0c-4a51-9a3e-${i.toString(16).padStart(12, '0')}`
    return signCertificate({ ...bodies[i % bodies.length]!, request, subject } as Body, certificateSigner)
  })
  for (const one of signed) log.add(one)
  return signed.map((one, index) => inputFor(one, log.proof(index)))
}

/** A partial certificate, its withdrawal, and the certificate that takes its place. */
export function createReplacedPartial() {
  const log = createSampleLog(5)
  const partial = signCertificate(waitingBody(), certificateSigner)
  const partialIndex = log.add(partial)
  const withdrawal = signCertificate(supersessionBody(partial.digest, 'replaced'), certificateSigner)
  log.add(withdrawal)
  const late = { ...certificateBody(withdrawal.digest), issuedAt: at(9 * DAY) }
  const whole = signCertificate(late, certificateSigner)
  return { log, partial, partialIndex, whole, wholeIndex: log.add(whole) }
}

/** What `verifyCertificate` takes, with the keys of this world. */
export function inputFor(
  signed: SignedCertificate,
  proof: Buffer,
  more: Partial<VerifyInput> = {},
): VerifyInput {
  return { certificate: signed.bytes, proof, keys: trustedKeys, ...more }
}

/** A certificate alone in a log of its own, properly logged: only its contents can be at fault. */
export function inputAlone(signed: SignedCertificate, others = 4) {
  const own = createSampleLog(others)
  const index = own.add(signed)
  return inputFor(signed, own.proof(index))
}

/** Signed by the right key over whatever it holds: what a signer without our rules could make. */
export function signUnchecked(body: Record<string, unknown>, signer = certificateSigner): SignedCertificate {
  const keyed = { ...body, key: signer.key.fingerprint } as unknown as Certificate
  const value = signer.sign(signedBytes(keyed)).toString('base64')
  const certificate = { ...keyed, signatures: [{ key: signer.key.fingerprint, value }] }
  const bytes = Buffer.from(canonicalJson(certificate))
  const digest = digestOf(bytes)
  return { certificate, bytes, digest, leaf: leafOf(certificate, digest) }
}

/** A file with one text replaced. */
export function editText(bytes: Uint8Array, from: string, to: string): Buffer {
  const text = Buffer.from(bytes).toString()
  if (!text.includes(from)) throw new Error(`nothing to edit: ${from}`)
  return Buffer.from(text.replace(from, to))
}
