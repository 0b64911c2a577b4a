import { userInfo } from 'node:os'
import type { AuditLog } from '../postgres/audit-log.ts'
import { type SubmitDeps, submitErasure } from '../postgres/privacy-requests.ts'
import { EbbError } from '../runtime/errors.ts'
import type { NewErasure, PartialCertificate } from '../schemas/erasure.ts'
import type { HoldWish, Refusal } from '../schemas/erasure-messages.ts'
import type { ErasureClient } from './erasure-client.ts'

export interface OfficerActions {
  /**
   * Takes a request in and starts its erasure. A start that fails now is made up for by the gateway's sweep: what is in
   * Postgres is not lost. @throws EbbError as submitErasure
   */
  submit(wish: NewErasure, actor: string): Promise<{ requestId: string; joined: boolean }>
  cancel(requestId: string): Promise<void>
  refuse(requestId: string, refusal: Refusal): Promise<void>
  placeHold(requestId: string, wish: HoldWish): Promise<string>
  releaseHold(requestId: string, holdId: string): Promise<void>
  retryStore(requestId: string): Promise<void>
  certifyPartial(requestId: string): Promise<PartialCertificate>
}

export interface OfficerDeps extends SubmitDeps {
  erasures: ErasureClient
}

/** What an officer can do, by the gateway or by the command line: both call these. */
export function createOfficerActions(deps: OfficerDeps): OfficerActions {
  const { erasures } = deps
  return {
    async submit(wish, actor) {
      const submitted = await submitErasure(deps, wish, actor)
      await erasures.start(submitted.requestId).catch((error) => {
        if (!(error instanceof EbbError) || error.code !== 'saga_unavailable') throw error
      })
      return submitted
    },
    cancel: erasures.cancel,
    refuse: erasures.refuse,
    placeHold: erasures.placeHold,
    releaseHold: erasures.releaseHold,
    retryStore: erasures.retryStore,
    certifyPartial: erasures.certifyPartial,
  }
}

/** How the command line's user stands in the audit log. */
export function cliActor(): string {
  return `cli:${userInfo().username}`
}

/**
 * The same for the command line: each action is in the audit log, with how it ended, before its result is shown.
 * @param action the verb, as in `erase submit`
 * @param objectOf the id that the result is about
 */
export async function audited<Result>(
  audit: AuditLog,
  entry: { actor: string; action: string; object?: string },
  act: () => Promise<Result>,
  objectOf: (result: Result) => string = () => entry.object ?? '-',
): Promise<Result> {
  const { actor, action, object = '-' } = entry
  try {
    const result = await act()
    await audit.append({ actor, action, object: objectOf(result), outcome: 'done' })
    return result
  } catch (error) {
    const code = error instanceof EbbError ? error.code : 'internal'
    if (code !== 'audit_unavailable') await audit.append({ actor, action, object, outcome: `failed ${code}` })
    throw error
  }
}
