import { describe, expect, it } from 'vitest'
import { loadRegistry } from '../schemas/registry.ts'
import { admit } from './admit.ts'
import { readBatch } from './read-batch.ts'

/** What would be stored of one event, as text. */
function storedOf(event: Record<string, unknown>): string {
  const body = Buffer.from(
    JSON.stringify({ batch: [{ type: 'track', event: 'button_click', messageId: 'm', ...event }] }),
  )
  const read = readBatch(JSON.parse(body.toString()), body, 'batch')
  if (!read.ok) throw new Error(read.code)
  const admitted = admit(read.batch, {
    app: { app: 'shop' },
    lookupKey: Buffer.alloc(32, 1),
    registry: loadRegistry(),
    now: Date.UTC(2026, 10, 21),
    nonce: 'n',
  })
  const { path, element, product, currency, props } = admitted.persons[0]!.events[0]!
  return JSON.stringify({ path, element, product, currency, props })
}

describe("an event's own id is stored in no case and no spelling", () => {
  it.each([
    { userId: 'jane.walrus42', properties: { path: '/u/Jane.Walrus42/orders' }, id: /walrus42/i },
    {
      userId: 'Jane.Walrus42',
      properties: { path: '/u/jane.walrus42/orders', label: 'JANE.WALRUS42 home' },
      id: /walrus42/i,
    },
    {
      userId: 'walrus4242',
      properties: { product_id: 'WALRUS4242', element: 'Walrus4242-x' },
      id: /walrus/i,
    },
    { anonymousId: 'pii-anon-zebra77', properties: { element: 'PII-ANON-ZEBRA77 again' }, id: /zebra/i },
    { userId: 'wal', properties: { product_id: 'WAL', path: '/u/Wal' }, id: /wal/i },
    {
      userId: 'jane walrus 42',
      properties: { element: 'jane+walrus+42', path: '/p/Jane%20Walrus%2042' },
      id: /walrus/i,
    },
  ])('$userId$anonymousId', ({ id, ...event }) => {
    expect(storedOf(event)).not.toMatch(id)
  })

  it('and what only shares letters with a short id stays', () => {
    expect(storedOf({ userId: 'wal', properties: { product_id: 'wallet', path: '/walnut/1' } })).toMatch(
      /wallet.*walnut|walnut.*wallet/,
    )
  })
})
