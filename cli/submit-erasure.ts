import { setTimeout as sleep } from 'node:timers/promises'
import { cliActor } from '../gateway/officer-actions.ts'
import { listHolds, type StoredHold } from '../postgres/list-holds.ts'
import { type PrivacyRequest, readRequest } from '../postgres/privacy-requests.ts'
import { listCertificates } from '../postgres/read-certificates.ts'
import { EbbError } from '../runtime/errors.ts'
import type { ErasureStatus, NewErasure, RequestState } from '../schemas/erasure.ts'
import { canAskForPartial } from '../schemas/erasure-messages.ts'
import type { PrivacyOffice } from './privacy-office.ts'
import { type WrittenCertificate, writeCertificate } from './write-certificate.ts'

type Say = (line: string) => void

/** States in which the first certificate, or the refusal, is out. */
const ANSWERED: ReadonlySet<RequestState> = new Set(['certified', 'held', 'closed', 'refused', 'cancelled'])
const LOOK_MS = 250

/** Takes a request in; with `wait`, follows it to its first certificate and writes that. */
export async function submitAndWait(
  office: PrivacyOffice,
  wish: NewErasure,
  options: { wait: boolean; out: string | undefined; say: Say },
): Promise<void> {
  const { say } = options
  const { requestId, joined } = await office.audited(
    'erase submit',
    '-',
    () => office.actions.submit(wish, cliActor()),
    (submitted) => submitted.requestId,
  )
  say(joined ? `joined the running request ${requestId}` : `request ${requestId}`)
  if (!options.wait) {
    say(`follow it with: ebb erase status ${requestId}`)
    return
  }
  const { state } = await awaitAnswer(office, requestId, say)
  if (state === 'cancelled') throw new EbbError('cancelled', 'the request was cancelled')
  reportWritten(await writeCertificate(office, requestId, options.out ?? `erasure-${requestId}`), say)
}

/** Waits for the first certificate, or the refusal. @param say told each stage as it begins */
export async function awaitAnswer(
  office: PrivacyOffice,
  requestId: string,
  say: Say,
): Promise<PrivacyRequest> {
  let last = ''
  for (;;) {
    const request = await readRequest(office.postgres, requestId)
    const stage = (await askSaga(office, requestId))?.stage ?? request.state
    if (stage !== last) say(`  ${stage}`)
    last = stage
    if (ANSWERED.has(request.state)) return request
    await sleep(LOOK_MS)
  }
}

export function reportWritten(written: WrittenCertificate, say: Say): void {
  say(`${written.kind} at index ${written.logIndex} of the log, written to ${written.folder}/`)
  if (written.kind === 'partial')
    say('it is no certificate of a complete erasure: certificate.md names what was not reached')
  say(`verify it anywhere, offline:\n  ${written.verifyCommand}`)
}

/** What Postgres and the saga know of a request. Audited like every look at one. */
export async function showStatus(
  office: PrivacyOffice,
  requestId: string,
  { out, say }: { out: string | undefined; say: Say },
): Promise<void> {
  const request = await office.audited('erase status', requestId, () =>
    readRequest(office.postgres, requestId),
  )
  const saga = await askSaga(office, requestId)
  for (const line of describeStatus(request, saga)) say(line)
  for (const hold of await listHolds(office.postgres, requestId)) say(`  ${describeHold(hold)}`)
  for (const one of await listCertificates(office.postgres, requestId)) {
    const withdrawn = one.superseded ? ', withdrawn' : ''
    say(`  leaf ${one.logIndex}: ${one.kind}, ${one.issuedAt.toISOString()}${withdrawn}`)
  }
  if (out !== undefined) reportWritten(await writeCertificate(office, requestId, out), say)
}

/** What an officer must know to release it. */
function describeHold({ holdId, fields, article, until, releasedAt, released }: StoredHold): string {
  const standing = released ? 'released, ends with a later step' : `until ${until.toISOString()}`
  const end = releasedAt ? `released ${releasedAt.toISOString()}` : standing
  return `hold ${holdId}: ${fields.join(', ')} by ${article}, ${end}`
}

export function describeStatus(request: PrivacyRequest, saga: ErasureStatus | undefined): string[] {
  const time = (at: Date | null) => at?.toISOString() ?? '-'
  const lines = [
    `request ${request.requestId} of ${request.app}: ${request.state}`,
    `  received ${time(request.receivedAt)}, due ${time(request.dueAt)}, blocked ${time(request.blockedAt)}`,
    `  certified ${time(request.certifiedAt)}, ended ${time(request.closedAt)}`,
  ]
  if (request.stuckStore)
    lines.push(`  waits for ${request.stuckStore}: ebb erase retry ${request.requestId}`)
  if (saga && canAskForPartial(saga)) lines.push(`  certify the rest: ebb erase partial ${request.requestId}`)
  if (request.article) lines.push(`  refused by ${request.article}`)
  if (saga) {
    lines.push(...saga.done.map((step) => `  ✓ ${step.stage}: ${step.outcome}`), `  now: ${saga.stage}`)
  } else lines.push('  the saga gives no answer (it has ended, or Temporal is away)')
  return lines
}

/**
 * Tries a blocked store at once. A saga that somebody ended from outside is started again: each of its steps may be
 * repeated.
 */
export async function retryRequest(office: PrivacyOffice, requestId: string): Promise<string> {
  const { state } = await readRequest(office.postgres, requestId)
  try {
    await office.actions.retryStore(requestId)
    return 'tried again'
  } catch (error) {
    const ended = error instanceof EbbError && error.code === 'too_late'
    if (!ended || ['closed', 'cancelled', 'refused'].includes(state)) throw error
    await office.erasures.start(requestId)
    return 'started again'
  }
}

/** What is erased, signed and logged, with the stores that gave no answer. The saga goes on trying. */
export async function certifyPartial(
  office: PrivacyOffice,
  requestId: string,
  out: string | undefined,
): Promise<string> {
  const { logIndex, unreachable } = await office.actions.certifyPartial(requestId)
  const lines = [
    `partial certificate at index ${logIndex} of the log; not reached: ${unreachable.join(', ')}`,
  ]
  if (out === undefined) lines.push(`write it with: ebb erase status ${requestId} --out <folder>`)
  else reportWritten(await writeCertificate(office, requestId, out), (line) => lines.push(line))
  return lines.join('\n')
}

/** undefined: it has ended and is forgotten, or nobody answers; Postgres knows enough then. */
async function askSaga(office: PrivacyOffice, requestId: string): Promise<ErasureStatus | undefined> {
  try {
    return await office.erasures.status(requestId)
  } catch (error) {
    if (error instanceof EbbError) return undefined
    throw error
  }
}
