import { EbbError } from '../../runtime/errors.ts'
import type { Certificate } from '../../schemas/certificate.ts'
import type { Survivors, VerifierActivities } from '../../schemas/erasure.ts'
import { REFUSAL_REASONS } from '../../schemas/erasure-messages.ts'
import type { AppendLeaf } from './append-leaf.ts'
import { certifyPartial, partialStands } from './certify-partial.ts'
import { requireNothing } from './findings.ts'
import { type HorizonDeps, listHorizons } from './horizons.ts'
import type { Purpose } from './kafka-horizons.ts'
import { type LoggedStatement, readCertificate, readStatements } from './logged-statements.ts'
import { type LookDeps, lookForKeys, lookForSurvivors } from './look-for-survivors.ts'
import { awaitsRecount, createRecountWait, daysOf, withoutAggregates } from './look-into-aggregates.ts'
import { lookWhereReachable } from './look-where-reachable.ts'
import { type OpenRequest, readOpenRequest } from './observation.ts'
import { observeClosure } from './observe-closure.ts'
import { isHeldStill, readEvidence, toTime } from './read-evidence.ts'
import { shareLooks } from './share-looks.ts'
import {
  aboutSubject,
  certificateBody,
  closedBody,
  type Issuer,
  requireSamePerson,
  standing,
  statement,
  supersessionBody,
} from './statements.ts'
import { withdraw, withdrawUntrue } from './withdraw-certificate.ts'

export interface VerifierDeps extends LookDeps, HorizonDeps, Issuer {
  append: AppendLeaf
}

export type VerifierErrorCode =
  | 'evidence_missing'
  | 'horizons_pending'
  | 'not_observed'
  | 'partial_stands'
  | 'store_unreadable'
  | 'not_certified'

/**
 * Requests whose look-ups come within so long share them, while another look is under way: each lists buckets and reads every
 * table and file, for one person as for a thousand.
 */
const WINDOW_MS = 1_500

/**
 * What the verifier does for the saga. It believes nothing that the erasers have written: every verdict is its own look at
 * the stores, for whom it has itself found to be the person, and `certify` looks again before it signs.
 */
export function createVerifierActivities(deps: VerifierDeps): VerifierActivities {
  const lookTogether = shareLooks(WINDOW_MS, (ids) => lookForSurvivors(deps, ids))
  const look = withdrawing(deps, untilRecounted(deps, lookTogether))
  const lookAtKeys = withdrawing(
    deps,
    shareLooks(WINDOW_MS, (ids) => lookForKeys(deps, ids)),
  )
  const lookAround = shareLooks(WINDOW_MS, (ids) => lookWhereReachable(deps, ids))
  const days = shareLooks(WINDOW_MS, async (tokens) => {
    const found = await daysOf(deps.clickhouse, tokens)
    return new Map(tokens.map((token) => [token, found.get(token) ?? []]))
  })
  const observe = (requestId: string) => observeClosure({ ...deps, daysOf: days }, requestId)

  return {
    async logReceived({ requestId }) {
      await observe(requestId)
      const request = await readOpenRequest(deps, requestId)
      const { logIndex } = await deps.append({
        requestId,
        decide: (history) =>
          history.find(({ kind }) => kind === 'received') ?? receivedBody(deps, request, history),
      })
      return { logIndex }
    },

    async observeClosure({ requestId }) {
      await observe(requestId)
    },

    async verifyAbsence({ requestId }) {
      // Keys are still there: notes which ones, as late as may be.
      await observe(requestId)
      return await look(requestId)
    },

    verifyKeysGone: ({ requestId }) => lookAtKeys(requestId),

    async certify({ requestId, kind }) {
      const request = await readOpenRequest(deps, requestId)
      requireNothing(await look(requestId))
      requireNothing(await lookAtKeys(requestId))
      requireSamePerson(request, await receivedStatement(deps, requestId))
      const logged = kind === 'closed' ? await close(deps, request) : await issue(deps, request)
      return { digest: logged.digest, logIndex: logged.logIndex }
    },

    async certifyPartial({ requestId }) {
      const request = await readOpenRequest(deps, requestId)
      requireSamePerson(request, await receivedStatement(deps, requestId))
      return await certifyPartial(deps, request, await lookAround(requestId))
    },

    async refuse({ requestId, article, reason }) {
      const request = await readOpenRequest(deps, requestId)
      const text = Object.hasOwn(REFUSAL_REASONS, reason)
        ? REFUSAL_REASONS[reason as keyof typeof REFUSAL_REASONS]
        : reason
      const { digest, logIndex } = await deps.append({
        requestId,
        decide: (history) =>
          history.find((one) => one.kind === 'refusal') ?? {
            ...statement(deps, history),
            ...aboutSubject(request),
            kind: 'refusal',
            article,
            reason: text,
          },
      })
      return { digest, logIndex }
    },

    async verifyHorizons({ requestId }) {
      const request = await readOpenRequest(deps, requestId)
      return { pending: await pendingHorizons(deps, request, 'await') }
    },

    async supersede({ requestId, reason }) {
      const { logIndex } = await deps.append({
        requestId,
        decide(history) {
          const certificate = standing(history)
          const last = history.at(-1)
          if (!certificate && last?.kind === 'supersession') return last
          if (!certificate) throw new EbbError('not_certified', 'no certificate of this request stands')
          return supersessionBody(deps, history, certificate, { request: requestId, reason })
        },
      })
      return { logIndex }
    },
  }
}

type Look = (requestId: string) => Promise<Survivors>

/** Who only waits for another batch's recount waits for it alone. What may have come back meanwhile is looked for once more. */
function untilRecounted(deps: VerifierDeps, look: Look): Look {
  const recount = createRecountWait(deps)
  return async (requestId) => {
    const seen = await look(requestId)
    if (!awaitsRecount(seen)) return seen
    const left = await recount(await readOpenRequest(deps, requestId))
    return left.found.length > 0 ? left : withoutAggregates(await look(requestId))
  }
}

/** A certificate that a look shows to be wrong stands no longer, whatever the look was for. */
function withdrawing(deps: VerifierDeps, look: Look): Look {
  return async (requestId) => {
    const seen = await look(requestId)
    await withdrawUntrue(deps, requestId, seen)
    return seen
  }
}

function receivedBody(deps: Issuer, request: OpenRequest, history: readonly LoggedStatement[]) {
  const made = statement(deps, history)
  const deadline = toTime(Math.max(request.dueAt.getTime(), deps.now()))
  return { ...made, ...aboutSubject(request), kind: 'received' as const, deadline }
}

async function issue(deps: VerifierDeps, request: OpenRequest): Promise<LoggedStatement> {
  const { requestId } = request
  const signed = standing(await readStatements(deps.postgres, [requestId]))
  const isWhole = signed !== undefined && signed.kind !== 'partial'
  // Signed before, and the saga did not hear of it, or was terminated since: perhaps between the release of a hold and the
  // withdrawal of the certificate that names it.
  const stands = isWhole ? await readCertificate(deps.postgres, signed) : undefined
  if (isWhole && (await isHeldStill(deps.postgres, requestId, stands))) return signed
  const nowMs = deps.now()
  const receipts = await readEvidence(deps.postgres, request, nowMs)
  const horizons = await listHorizons(deps, request, { heldUntilMs: nowMs, purpose: 'name' })
  // What was said in the meantime does not hold any more: every store was reached, or what was held is erased.
  if (signed) await withdraw(deps, requestId, signed, isWhole ? 'hold-released' : 'replaced')
  return await deps.append({
    requestId,
    decide(history) {
      const current = standing(history)
      if (current?.kind === 'partial') throw partialStands()
      return current ?? certificateBody(deps, request, history, { receipts, horizons })
    },
  })
}

async function close(deps: VerifierDeps, request: OpenRequest): Promise<LoggedStatement> {
  const { requestId } = request
  const logged = await readStatements(deps.postgres, [requestId])
  const signed = standing(logged)
  const first = await readCertificate(deps.postgres, signed)
  if (signed && first?.kind === 'closed') return signed
  if (first?.kind !== 'certificate') throw notToBeClosed(logged)
  if ((await pendingHorizons(deps, request, 'close')).length > 0) {
    throw new EbbError('horizons_pending', 'a copy is still there')
  }
  const { signatures: _, ...body } = first
  return await deps.append({
    requestId,
    decide(history) {
      const current = standing(history)
      if (current?.kind === 'closed') return current
      if (current?.digest !== signed?.digest) throw notToBeClosed(history)
      return closedBody(deps, request, history, body)
    },
  })
}

/**
 * A withdrawal that comes last is one that nobody has told the saga of: whoever found something died with it, or was slower than
 * this attempt. By now it may have passed, and another look is clean; the saga must erase and certify again all the same.
 */
function notToBeClosed(history: readonly LoggedStatement[]): EbbError {
  return history.at(-1)?.kind === 'supersession'
    ? new EbbError('survivors_found', 'something was found, and the certificate withdrawn')
    : new EbbError('not_certified', 'no certificate of this request stands')
}

/** Copies of what stood in the stores when the certificate was issued. */
async function pendingHorizons(deps: VerifierDeps, request: OpenRequest, purpose: Purpose) {
  const certificate = await standingStatement(deps, request.requestId)
  const heldUntilMs = certificate ? Date.parse(certificate.issuedAt) + 1_000 : deps.now()
  const named = certificate && 'horizons' in certificate ? certificate.horizons : []
  return await listHorizons(deps, request, { heldUntilMs, purpose }, named)
}

async function standingStatement(deps: VerifierDeps, requestId: string): Promise<Certificate | undefined> {
  return await readCertificate(deps.postgres, standing(await readStatements(deps.postgres, [requestId])))
}

async function receivedStatement(deps: VerifierDeps, requestId: string): Promise<Certificate | undefined> {
  const history = await readStatements(deps.postgres, [requestId])
  return await readCertificate(
    deps.postgres,
    history.find(({ kind }) => kind === 'received'),
  )
}
