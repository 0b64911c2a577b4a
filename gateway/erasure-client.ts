import {
  Client,
  Connection,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client'
import type { Config } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import type { ErasureStatus, PartialCertificate } from '../schemas/erasure.ts'
import {
  ERASURE_MESSAGES,
  erasureStart,
  erasureWorkflowId,
  type HoldWish,
  PARTIAL_REFUSALS,
  type Refusal,
} from '../schemas/erasure-messages.ts'
import type { eraseSubject } from '../workflows/index.ts'

/** Codes of the workflow's validators (workflows/answer-officers.ts), and two of the way there. */
export type ErasureClientErrorCode =
  | 'too_late'
  | 'hold_unknown'
  | 'not_stuck'
  | 'invalid_message'
  | keyof typeof PARTIAL_REFUSALS
  | 'verifier_unavailable'
  | 'refused'
  | 'saga_unavailable'

/** What officers say to running erasures. Nothing here names a person: all of it is kept in histories. */
export interface ErasureClient {
  /** Starts the erasure of a request, or joins the one that runs; one that has ended stays so. */
  start(requestId: string): Promise<void>
  /** @throws EbbError `too_late` when it has ended and Temporal has forgotten it, `saga_unavailable` */
  status(requestId: string): Promise<ErasureStatus>
  /** @throws EbbError, as all below: ErasureClientErrorCode */
  cancel(requestId: string): Promise<void>
  refuse(requestId: string, refusal: Refusal): Promise<void>
  /** @returns the hold's id. */
  placeHold(requestId: string, wish: HoldWish): Promise<string>
  releaseHold(requestId: string, holdId: string): Promise<void>
  retryStore(requestId: string): Promise<void>
  /** Takes as long as the verifier's look; asked again meanwhile, it waits for the same one. */
  certifyPartial(requestId: string): Promise<PartialCertificate>
  close(): Promise<void>
}

const UPDATE_CODES: ReadonlySet<string> = new Set([
  'too_late',
  'hold_unknown',
  'not_stuck',
  'invalid_message',
  'verifier_unavailable',
  ...Object.keys(PARTIAL_REFUSALS),
])

/** The verifier waits seconds for what goes by itself, and ten for a store that is silent. Load balancers wait a minute. */
const LOOK_MS = 45_000

/** Connects when first used, and again by itself: a gateway comes up and answers while Temporal is away. */
export function createErasureClient(config: Config, timeoutMs = 5_000): ErasureClient {
  const { address, namespace, taskQueue } = config.temporal
  const connection = Connection.lazy({ address, connectTimeout: timeoutMs })
  const client = new Client({ connection, namespace })
  /** A worker that is away must not hold a caller: whatever has no answer in time is told to come again. */
  const bounded = async <T>(call: () => Promise<T>, withinMs = timeoutMs): Promise<T> => {
    try {
      return await connection.withDeadline(Date.now() + withinMs, call)
    } catch (error) {
      throw translate(error)
    }
  }
  const handleOf = (requestId: string) => client.workflow.getHandle(erasureWorkflowId(requestId))
  const update = <Result = void>(requestId: string, name: string, word?: object): Promise<Result> =>
    bounded(() => {
      const handle = handleOf(requestId)
      if (word === undefined) return handle.executeUpdate<Result, []>(name)
      return handle.executeUpdate<Result, [object]>(name, { args: [word] })
    })

  return {
    async start(requestId) {
      await bounded(() =>
        client.workflow.start<typeof eraseSubject>('eraseSubject', erasureStart(requestId, taskQueue)),
      ).catch((error) => {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
      })
    },
    status: (requestId) => bounded(() => handleOf(requestId).query<ErasureStatus>(ERASURE_MESSAGES.status)),
    cancel: (requestId) => update(requestId, ERASURE_MESSAGES.cancel),
    refuse: (requestId, refusal) => update(requestId, ERASURE_MESSAGES.refuse, refusal),
    placeHold: (requestId, wish) => update(requestId, ERASURE_MESSAGES.placeHold, wish),
    releaseHold: (requestId, holdId) => update(requestId, ERASURE_MESSAGES.releaseHold, { holdId }),
    retryStore: (requestId) => update(requestId, ERASURE_MESSAGES.retryStore),
    async certifyPartial(requestId) {
      const handle = handleOf(requestId)
      const given = await bounded(() =>
        handle.startUpdate<PartialCertificate, []>(ERASURE_MESSAGES.certifyPartial, {
          waitForStage: 'ACCEPTED',
        }),
      )
      return await bounded(() => given.result(), LOOK_MS).catch((error) => {
        const silent = error instanceof EbbError && error.code === 'saga_unavailable'
        throw silent
          ? new EbbError('verifier_unavailable', 'the verifier gives no answer yet: ask again', {
              cause: error,
            })
          : error
      })
    },
    close: () => connection.close(),
  }
}

function translate(error: unknown): unknown {
  if (error instanceof WorkflowExecutionAlreadyStartedError) return error
  if (error instanceof WorkflowNotFoundError) {
    return new EbbError('too_late', 'the erasure has ended', { cause: error })
  }
  if (error instanceof WorkflowUpdateFailedError) {
    const { type, message } = (error.cause ?? {}) as { type?: unknown; message?: string }
    // The workflow's own texts; anything else stays unsaid.
    const known = typeof type === 'string' && UPDATE_CODES.has(type) && message
    const [code, text] = known ? [type, message] : ['refused', 'the erasure cannot take this now']
    return new EbbError(code, text, { cause: error })
  }
  return new EbbError('saga_unavailable', 'Temporal, or its worker, gives no answer', { cause: error })
}
