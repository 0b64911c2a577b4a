import { expect, it } from 'vitest'
import { quietRequestQueue, type RequestQueue } from './quiet-request-queue.ts'

function openQueue(): RequestQueue {
  const options = { requestTimeout: 1_000, enforceRequestTimeout: false, clientId: 'c', broker: 'b:1' }
  return new (quietRequestQueue())({ ...options, logger: { debug: () => undefined } })
}

it('makes no timer while no request waits', () => {
  const queue = openQueue()
  queue.checkPendingRequests()
  expect(queue.throttleCheckTimeoutId).toBeNull()
})

it('looks again for a request that waits', () => {
  const queue = openQueue()
  queue.pending.push({})
  queue.scheduleCheckPendingRequests()
  expect(queue.throttleCheckTimeoutId).not.toBeNull()
  clearTimeout(queue.throttleCheckTimeoutId ?? undefined)
})

it('is put in place once, however many clients a process makes', () => {
  const before = quietRequestQueue().prototype.scheduleCheckPendingRequests
  expect(quietRequestQueue().prototype.scheduleCheckPendingRequests).toBe(before)
})
