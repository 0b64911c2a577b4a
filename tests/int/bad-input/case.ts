import type { Outcome, Post } from './send.ts'

/** One thing that a client may do wrong, and what it is told. */
export interface BadInput {
  title: string
  /** A request of an HTTP client, or bytes as they are. */
  send: Post | { raw: string | Buffer; end?: boolean }
  /**
   * `400 invalid_json`: the whole request is refused. `rejected too_old`: its one event is refused and counted.
   * `accepted`: the event is stored, without what was wrong about it.
   */
  expect: string
}

/** The outcome in the words of `expect`. */
export function describeOutcome(outcome: Outcome): string {
  if (outcome.status !== 200)
    return outcome.code ? `${outcome.status} ${outcome.code}` : String(outcome.status)
  const [rejected] = outcome.rejected ?? []
  return rejected ? `rejected ${rejected.code}` : 'accepted'
}

/** Replaced by the test's own write key. */
export const WRITE_KEY = 'wk_bad_input'
export const AUTHORIZATION = `Basic ${Buffer.from(`${WRITE_KEY}:`).toString('base64')}`

/** A request that would be fine but for `change`. */
export function authorised(change: Post): Post {
  return {
    ...change,
    headers: { authorization: AUTHORIZATION, 'content-type': 'application/json', ...change.headers },
  }
}

/** An event that would be fine but for `change`. `element` marks it as bad, should it ever arrive. */
export function event(change: Record<string, unknown>): Record<string, unknown> {
  return {
    type: 'track',
    event: 'button_click',
    anonymousId: 'bad-person',
    properties: { element: 'bad-event' },
    ...change,
  }
}
