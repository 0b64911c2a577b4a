import { randomBytes } from 'node:crypto'

/**
 * Client batches of 20 events of one person, 200 to 400 bytes an event, built once as templates; what differs from
 * batch to batch (person, session, message ids, times) has a fixed width and is written in place, so that the
 * generator costs the machine under test as little as it can.
 */
export interface LoadBatches {
  /** The next request body, ready to send; the buffer is the caller's until it calls `next` as many times as there are templates. */
  next(now: number): Buffer
  eventsPerBatch: number
  bytesPerEvent: number
}

interface Template {
  body: Buffer
  personAt: number[]
  sessionAt: number[]
  messageAt: number[]
  timeAt: number[]
}

const EVENTS_PER_BATCH = 20
const PERSON_WIDTH = 8
const MESSAGE_WIDTH = 24
const PERSON_MARK = 'PPPPPPPP'
const SESSION_MARK = 'SSSSSSSSSSSS'
const MESSAGE_MARK = 'MMMMMMMMMMMMMMMMMMMMMMMM'
const TIME_MARK = 'TTTTTTTTTTTTTTTTTTTTTTTT'

const PRODUCTS = Array.from({ length: 200 }, (_, i) => `sku-${String(i).padStart(4, '0')}`)
const PAGES = Array.from({ length: 60 }, (_, i) => `/catalogue/section-${i % 12}/page-${i}`)
const BUTTONS = Array.from({ length: 30 }, (_, i) => `button-${i}`)

/** The mix of a shop's day: mostly views and clicks, a few carts, fewer purchases. */
function eventOf(i: number): Record<string, unknown> {
  const shared = {
    anonymousId: `anon-${PERSON_MARK}`,
    messageId: MESSAGE_MARK,
    timestamp: TIME_MARK,
    context: { sessionId: `session-${SESSION_MARK}`, page: { path: PAGES[i % PAGES.length] } },
  }
  const product = PRODUCTS[i % PRODUCTS.length]
  if (i % 20 === 0) {
    const properties = {
      product_id: product,
      order_id: MESSAGE_MARK,
      quantity: 2,
      revenue: 19.99,
      currency: 'EUR',
    }
    return { type: 'track', event: 'purchase', properties, ...shared }
  }
  if (i % 7 === 0) {
    const properties = { product_id: product, quantity: 1, price: 9.5, currency: 'EUR' }
    return { type: 'track', event: 'add_to_cart', properties, ...shared }
  }
  if (i % 3 === 0) {
    return {
      type: 'track',
      event: 'button_click',
      properties: { element: BUTTONS[i % BUTTONS.length] },
      ...shared,
    }
  }
  return { type: 'page', name: 'Catalogue', properties: { path: PAGES[i % PAGES.length] }, ...shared }
}

function positions(body: Buffer, mark: string): number[] {
  const found: number[] = []
  for (let at = body.indexOf(mark); at >= 0; at = body.indexOf(mark, at + mark.length)) found.push(at)
  return found
}

function buildTemplate(seed: number): Template {
  const batch = Array.from({ length: EVENTS_PER_BATCH }, (_, i) => eventOf(seed * EVENTS_PER_BATCH + i))
  const body = Buffer.from(JSON.stringify({ batch, sentAt: TIME_MARK }))
  return {
    body,
    personAt: positions(body, PERSON_MARK),
    sessionAt: positions(body, SESSION_MARK),
    messageAt: positions(body, MESSAGE_MARK),
    timeAt: positions(body, TIME_MARK),
  }
}

/**
 * @param people how many distinct people send; batch n is of person n modulo `people`.
 * @param templates how many bodies rotate: more than requests in flight, so that none is overwritten while it is sent.
 */
export function createLoadBatches(people: number, templates: number): LoadBatches {
  const rotation = Array.from({ length: templates }, (_, i) => buildTemplate(i))
  const run = randomBytes(4).toString('hex')
  let batchNumber = 0
  let timeText = ''
  let timeOf = 0
  return {
    eventsPerBatch: EVENTS_PER_BATCH,
    bytesPerEvent: Math.round(
      rotation.reduce((sum, t) => sum + t.body.length, 0) / (templates * EVENTS_PER_BATCH),
    ),
    next(now) {
      if (now !== timeOf) {
        timeOf = now
        timeText = new Date(now).toISOString()
      }
      const template = rotation[batchNumber % templates]!
      const person = String(batchNumber % people).padStart(PERSON_WIDTH, '0')
      const session = `${person}${String(Math.floor(batchNumber / people) % 10_000).padStart(4, '0')}`
      const message = `${run}-${String(batchNumber).padStart(MESSAGE_WIDTH - 12, '0')}`
      const { body } = template
      for (const at of template.personAt) body.write(person, at, 'latin1')
      for (const at of template.sessionAt) body.write(session, at, 'latin1')
      template.messageAt.forEach((at, i) => {
        body.write(`${message}-${String(i).padStart(2, '0')}`, at, 'latin1')
      })
      for (const at of template.timeAt) body.write(timeText, at, 'latin1')
      batchNumber++
      return body
    },
  }
}
