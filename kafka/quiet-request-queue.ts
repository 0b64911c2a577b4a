import { createRequire } from 'node:module'

/** What of kafkajs's queue of requests of a connection is named here (kafkajs 2.2.4, src/network/requestQueue). */
export interface RequestQueue {
  pending: unknown[]
  throttleCheckTimeoutId: NodeJS.Timeout | null
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

type RequestQueueClass = new (options: object) => RequestQueue

/**
 * Ends a busy loop of kafkajs: after its first answer each connection looks every millisecond, for ever, whether requests
 * wait, by a timer with a negative delay (tulios/kafkajs issues 1704 and 1751, open). It took 4 % of a core in each process
 * that has a connection, idle or not. Requests that do wait make a timer of their own, so without any there is none.
 */
export function quietRequestQueue(): RequestQueueClass {
  const found = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as RequestQueueClass
  const prototype = found.prototype as RequestQueue & { [QUIET]?: true }
  if (prototype[QUIET]) return found
  prototype[QUIET] = true
  const schedule = prototype.scheduleCheckPendingRequests
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this)
  }
  return found
}

const QUIET = Symbol('quiet')
