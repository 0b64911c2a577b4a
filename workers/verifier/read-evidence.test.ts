import { describe, expect, test } from 'vitest'
import type { OpenRequest } from './observation.ts'
import { buildReceipts, type ReceiptRow } from './read-evidence.ts'

const RECEIVED = Date.parse('2026-11-21T09:00:00Z')
const NOW = RECEIVED + 3_600_000
const STORES = ['clickhouse/aggregates', 'clickhouse/events', 'postgres/vault', 's3/archive', 's3/exports']
const request = {
  receivedAt: new Date(RECEIVED),
  sealed: { identifiers: [], handles: [], subjects: [], salt: '' },
  observed: { handles: [], subjects: [], keyless: [], days: [] },
} as unknown as OpenRequest

const erased = (store: string): ReceiptRow => ({
  store,
  outcome: 'erased',
  method: 'deleted',
  at: new Date(RECEIVED + 1_000),
  ids: [],
  evidence: 'a'.repeat(64),
})
const away = (store: string, atMs = RECEIVED + 60_000): ReceiptRow => ({
  ...erased(store),
  outcome: 'unreachable',
  method: '',
  at: new Date(atMs),
  evidence: '',
})
const rowsWith = (...others: ReceiptRow[]) => [
  ...STORES.filter((store) => !others.some((row) => row.store === store)).map(erased),
  ...others,
]
const build = (rows: ReceiptRow[], unreachable: string[], keysGone = false) =>
  buildReceipts({ rows, holds: [] }, request, NOW, { unreachable, keysGone })
const said = (receipts: ReturnType<typeof build>) =>
  Object.fromEntries(receipts.map(({ store, outcome }) => [store, outcome]))
const code = (make: () => unknown) => {
  try {
    make()
    return 'none'
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('what a receipt names', () => {
  const buildFor = (identifier: string, id: string) => () =>
    buildReceipts(
      { rows: rowsWith({ ...erased('postgres/vault'), ids: [id] }), holds: [] },
      { ...request, sealed: { ...request.sealed, identifiers: [{ label: 'userId', value: identifier }] } },
      NOW,
      { unreachable: [], keysGone: true },
    )

  test.each(['ada@example.com', 'Ada-17', '0190-4ab2'])('is never the person: %s', (identifier) => {
    expect(code(buildFor(identifier, `left of ${identifier.toLowerCase()}: file 1`))).toBe('evidence_missing')
  })

  test.each(['1638', '16384', 'users', 'rewritten'])(
    'may have %s in it, as a user id happens to be',
    (identifier) => {
      expect(code(buildFor(identifier, 'users_pii: file 16384 rewritten as 16390'))).toBe('none')
    },
  )
})

describe('receipts of a certificate', () => {
  test('name every store of the data map and the keys, whatever became of each', () => {
    expect(said(build(rowsWith(), [], true))).toEqual(
      Object.fromEntries([...STORES, 'keyring'].map((store) => [store, 'erased'])),
    )
    expect(said(build(rowsWith(away('s3/archive')), ['s3/archive']))).toEqual({
      'clickhouse/aggregates': 'erased',
      'clickhouse/events': 'erased',
      'postgres/vault': 'erased',
      's3/archive': 'unreachable',
      's3/exports': 'erased',
      keyring: 'waiting',
    })
  })

  test('say since when: as the erasers noted first, with what is derived from it, or now', () => {
    const stores = ['clickhouse/events', 'clickhouse/aggregates', 's3/exports']
    const receipts = build(rowsWith(away('clickhouse/events')), stores)
    expect(receipts.slice(0, 3).map((one) => 'since' in one && one.since)).toEqual([
      '2026-11-21T09:01:00Z',
      '2026-11-21T09:01:00Z',
      '2026-11-21T10:00:00Z',
    ])
  })

  test('let keys wait for what is away, unless none opens any more', () => {
    const rows = [...rowsWith(away('s3/archive')), { ...erased('keyring'), method: 'key-destroyed' }]
    const waiting = { outcome: 'waiting', store: 'keyring', after: ['s3/archive'] }
    expect(build(rows, ['s3/archive'])).toContainEqual(waiting)
    expect(said(build(rows, ['s3/archive'])).keyring).toBe('waiting')
    expect(said(build(rows, ['s3/archive'], true)).keyring).toBe('erased')
  })

  test('name what the law keeps, in a partial certificate as well', () => {
    const hold = {
      hold_id: '0d6f5c0e-6a0b-4a41-9a3e-0c4e41f7a001',
      fields: ['email'],
      article: 'GDPR Art. 17(3)(e)',
      until: new Date('2027-11-21T00:00:00Z'),
    }
    const rows = rowsWith(away('s3/archive'))
    const reached = { unreachable: ['s3/archive'], keysGone: false }
    expect(buildReceipts({ rows, holds: [hold] }, request, NOW, reached).at(-1)).toEqual({
      outcome: 'retained',
      store: `postgres/legal_holds/${hold.hold_id}`,
      what: 'fields email',
      article: hold.article,
      until: '2027-11-21T00:00:00Z',
    })
  })

  test('name no hold whose last second has come, and say so with a code of its own', () => {
    const hold = (untilMs: number) => ({
      hold_id: '0d6f5c0e-6a0b-4a41-9a3e-0c4e41f7a001',
      fields: ['email'],
      article: 'GDPR Art. 17(3)(e)',
      until: new Date(untilMs),
    })
    const held = (...untilMs: number[]) => {
      const reached = { unreachable: ['s3/archive'], keysGone: false }
      const rows = rowsWith(away('s3/archive'))
      return () => buildReceipts({ rows, holds: untilMs.map(hold) }, request, NOW, reached)
    }
    expect(code(held(NOW + 1_001))).toBe('none')
    expect(code(held(NOW + 86_400_000, NOW + 1_000))).toBe('hold_over')
  })

  test('do not believe a store to be away that answers, nor erased what nobody says it is', () => {
    const claimed = rowsWith(away('s3/archive'), away('clickhouse/events'))
    const withOneBack = () => build(claimed, ['clickhouse/events', 'clickhouse/aggregates'])
    expect(code(withOneBack)).toBe('store_answers')
    expect(withOneBack).toThrow(/^s3\/archive, which .* answers/)
    // For a certificate of the whole it is a receipt that is missing: the saga erases again.
    expect(code(() => build(rowsWith(away('s3/archive')), [], true))).toBe('evidence_missing')
    const without = rowsWith(away('s3/archive')).filter(({ store }) => store !== 'postgres/vault')
    expect(code(() => build(without, ['s3/archive']))).toBe('evidence_missing')
  })

  test('refuse a time from before the request, and one to come', () => {
    const since = (ms: number) => () => build(rowsWith(away('s3/archive', ms)), ['s3/archive'])
    expect(code(since(RECEIVED - 1))).toBe('evidence_missing')
    expect(code(since(NOW + 1))).toBe('evidence_missing')
    expect(code(since(NOW))).toBe('none')
  })
})
