import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { canonicalJson } from '../../certificates/canonical-json.ts'
import { commitToSubject } from '../../certificates/subject-commitment.ts'
import { EbbError } from '../../runtime/errors.ts'
import { PROJECT_ROOT } from '../../runtime/project-root.ts'
import type { CertificateBody, Receipt } from '../../schemas/certificate.ts'
import { DATA_MAP, RESIDUES } from '../../schemas/data-map.ts'
import type { ErasureHorizon } from '../../schemas/erasure.ts'
import type { StatementBody } from './log-writer.ts'
import type { LoggedStatement } from './logged-statements.ts'
import type { OpenRequest } from './observation.ts'
import { toTime } from './read-evidence.ts'

export interface Issuer {
  /** Name of the log. */
  origin: string
  /** Who answers for what is signed, for people to read. */
  issuer: string
  /** Milliseconds since 1970. */
  now(): number
}

const VERSION = (JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as { version: string })
  .version

/** SHA-256 of the list of all places that hold data, with their residues: what was looked into. */
export function hashDataMap(): string {
  return DATA_MAP_HASH
}

const DATA_MAP_HASH = createHash('sha256')
  .update(canonicalJson({ places: DATA_MAP, residues: RESIDUES }))
  .digest('hex')

export function statement({ origin, issuer, now }: Issuer, history: readonly LoggedStatement[]) {
  return {
    version: 1 as const,
    origin,
    issuer,
    tool: `ebb/${VERSION}`,
    issuedAt: toTime(now()),
    previous: history.at(-1)?.digest ?? null,
  }
}

/** Who it is about, as commitments under the request's salt. */
export function aboutSubject({ requestId, app, sealed }: OpenRequest) {
  const salt = Buffer.from(sealed.salt, 'hex')
  const commitments = new Map(
    sealed.identifiers.map((one) => {
      const commitment = commitToSubject(salt, one)
      return [`${one.label} ${commitment}`, { label: one.label, commitment }]
    }),
  )
  return { request: requestId, app, subject: [...commitments.values()] }
}

/** The certificate that stands: the last one that says something is erased and was not withdrawn. */
export function standing(history: readonly LoggedStatement[]): LoggedStatement | undefined {
  return history.findLast(
    ({ kind, superseded }) =>
      !superseded && (kind === 'certificate' || kind === 'partial' || kind === 'closed'),
  )
}

export type WithdrawalReason = Extract<CertificateBody, { kind: 'supersession' }>['reason']

export function certificateBody(
  issuer: Issuer,
  request: OpenRequest,
  history: readonly LoggedStatement[],
  found: { receipts: Receipt[]; horizons: ErasureHorizon[] },
): StatementBody {
  return {
    ...statement(issuer, history),
    ...aboutSubject(request),
    kind: 'certificate',
    dataMap: hashDataMap(),
    receipts: found.receipts,
    horizons: found.horizons.map(({ store, what, expiresByMs }) => ({
      store,
      what,
      expiresBy: toTime(expiresByMs + 999),
    })),
  }
}

/** Withdraws the certificate that stands. */
export function supersessionBody(
  issuer: Issuer,
  history: readonly LoggedStatement[],
  withdrawn: LoggedStatement,
  about: { request: string; reason: WithdrawalReason },
): StatementBody {
  return { ...statement(issuer, history), ...about, kind: 'supersession', supersedes: withdrawn.digest }
}

/** Copies are dated by the certificate of the whole: what holds the person still is still being copied. */
export function partialBody(
  issuer: Issuer,
  request: OpenRequest,
  history: readonly LoggedStatement[],
  receipts: Receipt[],
): StatementBody {
  return {
    ...statement(issuer, history),
    ...aboutSubject(request),
    kind: 'partial',
    dataMap: hashDataMap(),
    receipts,
    horizons: [],
  }
}

/** The second certificate says the first again, with each copy found gone. */
export function closedBody(
  issuer: Issuer,
  request: OpenRequest,
  history: readonly LoggedStatement[],
  first: Extract<CertificateBody, { kind: 'certificate' }>,
): StatementBody {
  const made = statement(issuer, history)
  // What was kept by law and is past its day was erased, and has its own certificate; nothing retained is left here.
  const receipts = first.receipts.filter((one) => one.outcome !== 'retained' || one.until > made.issuedAt)
  return {
    ...made,
    ...aboutSubject(request),
    kind: 'closed',
    dataMap: hashDataMap(),
    receipts,
    horizons: first.horizons.map((one) => ({ ...one, goneAt: made.issuedAt })),
  }
}

/**
 * The identifiers of the request must be those that it came with: their commitments were logged then.
 * @throws EbbError `evidence_missing`
 */
export function requireSamePerson(request: OpenRequest, received: CertificateBody | undefined): void {
  const expected = aboutSubject(request)
  const logged = received && 'subject' in received ? received : undefined
  if (
    !logged ||
    canonicalJson(logged.subject) !== canonicalJson(expected.subject) ||
    logged.app !== expected.app
  ) {
    throw new EbbError('evidence_missing', 'the request is not the one whose arrival was logged')
  }
}
