import { createHash, randomBytes } from 'node:crypto'
import { encodeRows } from '../gate/row-binary.ts'
import type { EventRecord } from '../schemas/event-record.ts'
import { type EventRow, ROW_FORMAT } from '../schemas/event-row.ts'

export interface MadeRecord extends EventRecord {
  /** Hash of the batch's number, so that a retry is made by the same number. */
  number: number
}

/** A record as the gate would make it: `count` purchases and views of one person. */
export function makeRecord(
  number: number,
  options: { subject?: Buffer; count?: number; at?: number; app?: string } = {},
): MadeRecord {
  const subject = options.subject ?? hash(`subject ${number % 50}`)
  const count = options.count ?? 4
  const app = options.app ?? 'shop'
  const at = options.at ?? Date.now()
  const rows: EventRow[] = []
  for (let index = 0; index < count; index++) {
    const bought = index % 4 === 3
    rows.push({
      app,
      event: bought ? 'purchase' : 'page_view',
      ts: at,
      receivedAt: at,
      subject: new Uint8Array(subject),
      session: BigInt(1 + (number % 50)),
      device: 7n,
      eventId: BigInt(number * 1_000 + index + 1),
      orderId: bought ? BigInt(number + 1) : 0n,
      path: '/shop',
      element: '',
      product: bought ? 'cup' : '',
      revenue: bought ? 12_500n : 0n,
      currency: bought ? 'EUR' : '',
      props: '{}',
    })
  }
  return {
    subject,
    rows: encodeRows(rows),
    app,
    batch: hash(`batch ${number}`),
    count,
    format: ROW_FORMAT,
    number,
  }
}

export function makeRecords(
  from: number,
  to: number,
  options: Parameters<typeof makeRecord>[1] = {},
): MadeRecord[] {
  return Array.from({ length: to - from }, (_, index) => makeRecord(from + index, options))
}

export function randomSubject(): Buffer {
  return randomBytes(16)
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest().subarray(0, 16)
}
