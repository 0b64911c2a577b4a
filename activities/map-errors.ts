import { ClickHouseError } from '@clickhouse/client'
import { ApplicationFailure, CancelledFailure } from '@temporalio/common'
import { EbbError } from '../runtime/errors.ts'
import { faultPoint } from '../runtime/fault.ts'
import type { Logger } from '../runtime/logger.ts'
import type { ErasureErrorCode } from '../schemas/erasure.ts'
import type { EtlErrorCode } from '../schemas/etl.ts'

/** Codes that no retry of the same activity mends. */
const FINAL: ReadonlySet<string> = new Set<EtlErrorCode | ErasureErrorCode>([
  'bad_period',
  'bad_day',
  'bad_month',
  'staging_dirty',
  'query_refused',
  'request_unknown',
  'batch_unknown',
  // The verifier's word is final: the saga erases again before it asks anew.
  'survivors_found',
  'keys_remain',
  'hold_over',
  'store_answers',
  'already_certified',
])

/**
 * ClickHouse's codes for a query that is wrong in itself: unknown function or identifier, illegal types or aggregation,
 * type mismatch, syntax. Three hours of retries would only hide our bug. A missing table is not among them: migrations
 * bring it.
 */
const REFUSED = new Set(['42', '43', '46', '47', '53', '62', '184', '215'])

/**
 * One of the two edges where errors are mapped: a failure enters a workflow's history with a closed code as its type and
 * a message that is ours. An engine's own message may quote data (ClickHouse cites the value it could not parse) and
 * histories are readable to every operator, so it goes no further than here.
 */
export function toApplicationFailure(error: unknown): ApplicationFailure | CancelledFailure {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error
  const { code, message } = describe(error)
  const failure = ApplicationFailure.create({ type: code, message, nonRetryable: FINAL.has(code) })
  // It would name this function and the machine's folders: nothing that an operator needs in a history.
  failure.stack = ''
  return failure
}

function describe(error: unknown): { code: string; message: string } {
  if (error instanceof EbbError) return { code: error.code, message: error.message }
  if (error instanceof ClickHouseError) {
    const code = REFUSED.has(error.code) ? 'query_refused' : 'clickhouse_failed'
    return { code, message: `ClickHouse answered with code ${error.code} ${error.type ?? ''}` }
  }
  const system = systemCode(error)
  if (system?.startsWith('E')) return { code: 'unreachable', message: `system error ${system}` }
  const name = error instanceof Error ? error.name : typeof error
  return { code: name.startsWith('Kafka') ? 'kafka_unavailable' : 'internal', message: name }
}

function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return typeof code === 'string' && /^[A-Z_]+$/.test(code) ? code : undefined
}

type Activity = (input: never) => Promise<unknown>

/** Wraps every activity so that what it throws is mapped, and logged by code. */
export function mapErrors<A extends Record<keyof A, Activity>>(activities: A, logger: Logger): A {
  const wrapped = Object.entries<Activity>(activities).map(([name, activity]) => [
    name,
    async (input: never) => {
      try {
        // Boundaries of drills: the effect has not happened; it has, and nobody knows yet.
        faultPoint(`activity.${name}.before`)
        const result = await activity(input)
        faultPoint(`activity.${name}.after`)
        return result
      } catch (error) {
        const failure = toApplicationFailure(error)
        if (failure instanceof ApplicationFailure) {
          logger.warn({ activity: name, code: failure.type, reason: failure.message }, 'activity failed')
        }
        throw failure
      }
    },
  ])
  return Object.fromEntries(wrapped) as A
}
