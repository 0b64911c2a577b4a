import { createHash } from 'node:crypto'
import type { Canaries } from '../scan/canaries.ts'

/** Every field of an event, a trait or a file in which something of a person may be written. */
export const FIELDS = [
  // Ids: become keyed hashes.
  ...[
    'userId',
    'anonymousId',
    'previousId',
    'messageId',
    'sessionId',
    'deviceId',
    'orderId',
    'groupId',
    'batchId',
  ],
  // Kept as they are.
  ...[
    'path',
    'title',
    'category',
    'element',
    'label',
    'product',
    'productName',
    'brand',
    'variant',
    'list',
    'coupon',
  ],
  ...['plan', 'screen', 'lesson'],
  // Personal or undeclared: dropped.
  ...['email', 'fullName', 'undeclared', 'userAgent', 'query'],
  // The vault, and files.
  ...['sealedField', 'publicTrait', 'exportFile'],
  // Planted in what engines leave behind, see residues.ts.
  ...['residue'],
] as const
export type Field = (typeof FIELDS)[number]

/** One person of the drill: a canary for each field. */
export interface DrillPerson {
  index: number
  canary(field: Field): string
  email: string
  /** `+49` and 12 digits. */
  phone: string
  /** What the app uses as the user id: the address for every other person. */
  userId: string
  anonymousId: string
  previousId: string
}

export function createPerson(canaries: Canaries, index: number): DrillPerson {
  const canary = (field: Field) => canaries.make(index, FIELDS.indexOf(field))
  const email = `${canary('email')}@example.com`
  return {
    index,
    canary,
    email,
    phone: drawPhone(email),
    userId: index % 2 === 0 ? email : canary('userId'),
    anonymousId: canary('anonymousId'),
    previousId: canary('previousId'),
  }
}

/** Somebody who stays: no canary, so that the search is for the erased alone. */
export function createBystander(index: number): DrillPerson {
  const canary = (field: Field) => `stays-${field}-${index}`
  const email = `stays-${index}@example.com`
  const phone = drawPhone(email)
  return { index, canary, email, phone, userId: email, anonymousId: `a-${index}`, previousId: `p-${index}` }
}

/** A number has no letters to carry a canary, so it is drawn from one: as long, and as rare. */
function drawPhone(text: string): string {
  const drawn = createHash('sha256').update(text).digest().readBigUInt64BE() % 10n ** 12n
  return `+49${drawn.toString().padStart(12, '0')}`
}

/** Shared by erased people and others, so that counts must be taken again and not only dropped. */
const shared = (index: number, of: string) => `shared-${of}-${index % 7}`

/** The batches of one person: before the login, then known. @param times when things happened, milliseconds since 1970 */
export function batchesOf(
  person: DrillPerson,
  times: readonly number[],
): { batch: object[]; batchId?: string }[] {
  const { canary } = person
  const at = (i: number) => new Date(times[i % times.length]! + i * 1_000).toISOString()
  const context = {
    sessionId: canary('sessionId'),
    device: { id: canary('deviceId') },
    page: { path: `/${canary('path')}/page`, search: `?q=${canary('query')}` },
    userAgent: `Mozilla ${canary('userAgent')}`,
  }
  const { anonymousId, userId, previousId } = person
  const before = {
    ...{ type: 'page', anonymousId, messageId: `${canary('messageId')}-0`, timestamp: at(0), context },
    properties: { path: `/${canary('path')}`, title: canary('title'), category: canary('category') },
  }
  const shop = {
    product_id: canary('product'),
    name: canary('productName'),
    brand: canary('brand'),
    variant: canary('variant'),
    list: canary('list'),
    coupon: canary('coupon'),
    undeclared: canary('undeclared'),
  }
  const own = (i: number) => ({ userId, messageId: `${canary('messageId')}-${i}`, timestamp: at(i), context })
  const track = (i: number, event: string, properties: object) => ({
    ...own(i),
    type: 'track',
    event,
    properties,
  })
  const identify = {
    ...own(1),
    ...{ type: 'identify', anonymousId },
    traits: { email: person.email, phone: person.phone, name: canary('fullName'), plan: canary('plan') },
  }
  const known = [
    identify,
    { ...own(2), type: 'alias', previousId },
    { ...own(3), type: 'group', groupId: canary('groupId'), traits: { plan: canary('plan') } },
    { ...own(4), type: 'screen', name: canary('screen'), properties: { lesson: canary('lesson') } },
    track(5, 'button_click', {
      element: canary('element'),
      label: canary('label'),
      product_id: canary('product'),
    }),
    track(6, 'button_click', { element: shared(person.index, 'element'), path: '/shared' }),
    track(7, 'add_to_cart', { ...shop, price: 2.5, currency: 'EUR' }),
    track(8, 'purchase', { ...shop, order_id: canary('orderId'), revenue: 12.5, currency: 'EUR' }),
    track(9, 'purchase', { product_id: shared(person.index, 'product'), revenue: 3, currency: 'EUR' }),
  ]
  return [{ batch: [before] }, { batch: known, batchId: canary('batchId') }]
}
