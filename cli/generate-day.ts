import { createRandom } from '../runtime/random.ts'

/**
 * A made-up day of two apps, the same for the same seed: a shop (page views, carts, purchases) and a children's
 * learning app (screens, button clicks). People come and go as people do: few at night, most in the evening.
 */
export interface GeneratedBatch {
  app: 'shop' | 'learn'
  /** Body of `POST /v1/batch`. */
  body: { batch: Record<string, unknown>[]; sentAt: string }
}

export interface DayPlan {
  /** `YYYY-MM-DD`, UTC. */
  day: string
  /** Sessions to make; a session is one batch of 3 to 20 events. */
  sessions: number
  seed: number
  /** Default: both, six sessions in ten at the shop. */
  apps?: readonly GeneratedBatch['app'][]
}

const PAGES = ['/', '/catalogue/shoes', '/catalogue/books', '/catalogue/games', '/product/42', '/about']
const LESSONS = ['counting', 'letters', 'shapes', 'colours', 'music']
const BUTTONS = ['start', 'next', 'hint', 'repeat', 'finish']
/** Share of the day's sessions that begin in each hour, out of 100. */
const HOURS = [1, 1, 0, 0, 0, 1, 2, 4, 5, 5, 4, 4, 5, 5, 4, 5, 6, 7, 8, 9, 9, 8, 5, 2]

function pickHour(random: () => number): number {
  let left = random() * 100
  for (let hour = 0; hour < HOURS.length; hour++) {
    left -= HOURS[hour]!
    if (left < 0) return hour
  }
  return 20
}

interface Draft {
  type: string
  event?: string
  name?: string
  properties: Record<string, unknown>
}

function shopSession(random: () => number, order: string): Draft[] {
  const views = 2 + Math.floor(random() * 8)
  const events: Draft[] = []
  for (let i = 0; i < views; i++) {
    const path = PAGES[Math.floor(random() * PAGES.length)]!
    events.push({ type: 'page', name: 'Shop', properties: { path } })
    if (random() < 0.3)
      events.push({ type: 'track', event: 'button_click', properties: { element: 'filter' } })
  }
  if (random() < 0.35) {
    const product = `sku-${Math.floor(random() ** 2 * 40)}`
    const price = 5 + Math.floor(random() * 9000) / 100
    const money = { product_id: product, currency: 'EUR' }
    events.push({ type: 'track', event: 'add_to_cart', properties: { ...money, price, quantity: 1 } })
    if (random() < 0.4) {
      const properties = { ...money, revenue: price, order_id: order, quantity: 1 }
      events.push({ type: 'track', event: 'purchase', properties })
    }
  }
  return events
}

function lessonSession(random: () => number): Draft[] {
  const lesson = LESSONS[Math.floor(random() * LESSONS.length)]!
  const events: Draft[] = [{ type: 'screen', name: lesson, properties: {} }]
  const clicks = 3 + Math.floor(random() * 14)
  for (let i = 0; i < clicks; i++) {
    const element = BUTTONS[Math.floor(random() * BUTTONS.length)]!
    events.push({ type: 'track', event: 'button_click', properties: { element } })
  }
  return events
}

/**
 * What real clients send that a gate must stop: an event nobody declared, an e-mail address in a button's label, and a
 * field nobody declared. One session in fifty has them.
 */
function addSlips(events: Draft[], person: string): void {
  events.push({ type: 'track', event: 'wishlist_shared', properties: {} })
  events.push({ type: 'track', event: 'button_click', properties: { label: `invite ${person}@example.com` } })
  events[0]!.properties.favourite_colour = 'green'
}

/** Yields the day's batches in order of time. */
export function* generateDay({
  day,
  sessions,
  seed,
  apps = ['shop', 'learn'],
}: DayPlan): Generator<GeneratedBatch> {
  const random = createRandom(seed)
  const midnight = Date.parse(`${day}T00:00:00Z`)
  const starts = Array.from({ length: sessions }, () => {
    const minute = pickHour(random) * 60 + Math.floor(random() * 55)
    return midnight + minute * 60_000 + Math.floor(random() * 60_000)
  }).sort((a, b) => a - b)
  for (const [number, start] of starts.entries()) {
    const app = apps.length === 1 ? apps[0]! : random() < 0.6 ? 'shop' : 'learn'
    const person = `${app}-${Math.floor(random() * sessions * 0.4)}`
    const drafts = app === 'shop' ? shopSession(random, `order-${day}-${number}`) : lessonSession(random)
    if (random() < 0.02) addSlips(drafts, person)
    const batch = drafts.map((draft, i) => ({
      ...draft,
      anonymousId: `device-${person}`,
      messageId: `${day}-${seed}-${number}-${i}`,
      timestamp: new Date(start + i * 4_000).toISOString(),
      context: { sessionId: `session-${day}-${number}` },
    }))
    yield { app, body: { batch, sentAt: new Date().toISOString() } }
  }
}
