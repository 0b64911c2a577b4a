/**
 * Cost of the gate for the batches that the platform is measured with: 20 events of one person, 200 to 400 bytes each.
 * `node services/bootstrap.mjs bench/gate.ts [--seconds 2]`; the last line is JSON.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { admit } from '../gate/admit.ts'
import type { AdmitContext } from '../gate/admit-context.ts'
import { type ParsedBatch, readBatch } from '../gate/read-batch.ts'
import { deriveSubjectKeys } from '../gate/subject-keys.ts'
import { tokenise } from '../gate/tokenise.ts'
import { loadRegistry } from '../schemas/registry.ts'

const EVENTS = 20
const BATCHES = 500

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '2' } } })
const seconds = Number(values.seconds)
const keys = deriveSubjectKeys(randomBytes(32))
const now = Date.now()
const context: AdmitContext = {
  app: { app: 'shop' },
  lookupKey: randomBytes(32),
  registry: loadRegistry(),
  now,
  nonce: randomUUID(),
}

const bodies = Array.from({ length: BATCHES }, (_, i) => makeBody(i))
const eventBytes = bodies.reduce((sum, body) => sum + body.length, 0) / BATCHES / EVENTS

// One untimed round compiles the code; parsing is not the gate's work, so it is timed on its own.
run(parse(bodies))
const parseUs: number[] = []
const admitUs: number[] = []
const gateUs: number[] = []
const end = performance.now() + seconds * 1000
while (performance.now() < end) {
  const start = cpuUs()
  const batches = parse(bodies)
  parseUs.push(usPerEvent(start))
  const admitStart = cpuUs()
  for (const batch of batches) admit(batch, context)
  admitUs.push(usPerEvent(admitStart))
  const gateStart = cpuUs()
  run(batches)
  gateUs.push(usPerEvent(gateStart))
}
const result = {
  gateUsPerEvent: median(gateUs),
  admitUsPerEvent: median(admitUs),
  bestGateUsPerEvent: round(Math.min(...gateUs)),
  jsonParseUsPerEvent: median(parseUs),
  eventBytes: Math.round(eventBytes),
  rounds: gateUs.length,
}
console.log(
  `gate: ${result.gateUsPerEvent} µs an event of ${result.eventBytes} bytes, JSON.parse ${result.jsonParseUsPerEvent} µs`,
)
console.log(JSON.stringify(result))

function run(batches: ParsedBatch[]): void {
  for (const batch of batches) {
    const admitted = admit(batch, context)
    if (admitted.accepted !== EVENTS) throw new Error(`rejected: ${JSON.stringify(admitted.rejected)}`)
    for (const person of admitted.persons) tokenise(person, keys, admitted.stamp)
  }
}

function parse(texts: Buffer[]): ParsedBatch[] {
  return texts.map((body) => {
    const read = readBatch(JSON.parse(body.toString()), body, 'batch')
    if (!read.ok) throw new Error(read.code)
    return read.batch
  })
}

function makeBody(seed: number): Buffer {
  const userId = `user-${seed}-${randomUUID().slice(0, 8)}`
  const device = randomUUID()
  const session = randomUUID()
  const batch = Array.from({ length: EVENTS }, (_, i) =>
    makeEvent(seed * EVENTS + i, { userId, device, session }),
  )
  return Buffer.from(JSON.stringify({ batch, sentAt: new Date(now - 1_000).toISOString() }))
}

function makeEvent(i: number, ids: { userId: string; device: string; session: string }) {
  const kind = i % 10
  const common = {
    userId: ids.userId,
    messageId: `m-${randomUUID()}`,
    timestamp: new Date(now - 5_000 - i).toISOString(),
    context: { device: { id: ids.device }, sessionId: ids.session },
  }
  if (kind < 5)
    return {
      type: 'page',
      ...common,
      properties: { path: `/products/shoes/${i % 97}`, title: 'Running shoes' },
    }
  if (kind < 7) {
    const properties = {
      element: 'add-to-cart',
      path: '/products/shoes',
      label: 'Add to cart',
      position: i % 12,
    }
    return { type: 'track', event: 'button_click', ...common, properties }
  }
  if (kind < 9) {
    const properties = { product_id: `SKU-${i % 997}`, price: 19.99, quantity: 1, currency: 'EUR' }
    return { type: 'track', event: 'add_to_cart', ...common, properties }
  }
  const properties = { order_id: `o-${i}`, revenue: 59.97, currency: 'EUR', items: 3, product_id: 'SKU-1' }
  return { type: 'track', event: 'purchase', ...common, properties }
}

function usPerEvent(start: number): number {
  return (cpuUs() - start) / (BATCHES * EVENTS)
}

/** CPU time of the process, garbage collection included: a busy machine does not make the gate look slow. */
function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

function median(figures: number[]): number {
  const sorted = [...figures].sort((a, b) => a - b)
  return round(sorted[Math.floor(sorted.length / 2)] ?? 0)
}

function round(figure: number): number {
  return Math.round(figure * 1000) / 1000
}
