import { ClickHouseError } from '@clickhouse/client'
import { ApplicationFailure } from '@temporalio/common'
import { describe, expect, it } from 'vitest'
import { EbbError } from '../runtime/errors.ts'
import { toApplicationFailure } from './map-errors.ts'

const CANARY = 'ada@example.org'

describe('what an activity throws', () => {
  it('enters a history with a closed code and without what an engine quoted', () => {
    const clickhouse = new ClickHouseError({ code: '27', type: 'CANNOT_PARSE', message: `before ${CANARY}` })
    const kafka = Object.assign(new Error(CANARY), { name: 'KafkaJSConnectionError' })
    const system = Object.assign(new Error(CANARY), { code: 'ECONNREFUSED' })
    const codes = [clickhouse, kafka, system, new TypeError(CANARY), CANARY].map((error) => {
      const failure = toApplicationFailure(error)
      expect(JSON.stringify([failure.message, failure.stack, failure.cause])).not.toContain(CANARY)
      return failure instanceof ApplicationFailure ? failure.type : 'cancelled'
    })
    expect(codes).toEqual(['clickhouse_failed', 'kafka_unavailable', 'unreachable', 'internal', 'internal'])
  })

  it('is retried unless no retry can mend it', () => {
    const retryable = (error: unknown) => {
      const failure = toApplicationFailure(error)
      return failure instanceof ApplicationFailure && !failure.nonRetryable
    }
    expect(retryable(new EbbError('report_unwritable', 'full'))).toBe(true)
    expect(retryable(new EbbError('staging_dirty', 'twice'))).toBe(false)
    for (const code of ['survivors_found', 'keys_remain', 'hold_over']) {
      expect(retryable(new EbbError(code, 'the saga has something to do first'))).toBe(false)
    }
    expect(retryable(new ClickHouseError({ code: '184', type: 'ILLEGAL_AGGREGATION', message: '' }))).toBe(
      false,
    )
  })
})
