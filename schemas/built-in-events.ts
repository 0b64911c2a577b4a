import type { z } from 'zod'
import type { EventDefinition } from './event-definition.ts'

type Properties = z.input<typeof EventDefinition>['properties']

const path: Properties = { path: { type: 'string', purpose: 'analytics', column: 'path', maxLength: 2048 } }

/** Both shops and learning apps say where in their offer something happened. */
const place: Properties = {
  category: { type: 'string', purpose: 'analytics', maxLength: 128 },
  position: { type: 'integer', purpose: 'analytics', min: 0, max: 100_000 },
  variant: { type: 'string', purpose: 'analytics', content: 'code', maxLength: 64 },
  list: { type: 'string', purpose: 'analytics', content: 'code', maxLength: 64 },
}

const product: Properties = {
  product_id: { type: 'string', purpose: 'commerce', column: 'product', content: 'code', maxLength: 128 },
  name: { type: 'string', purpose: 'commerce' },
  brand: { type: 'string', purpose: 'commerce', maxLength: 128 },
  price: { type: 'money', purpose: 'commerce', min: 0 },
  quantity: { type: 'integer', purpose: 'commerce', min: 0, max: 1_000_000 },
  currency: { type: 'string', purpose: 'commerce', column: 'currency' },
  coupon: { type: 'string', purpose: 'commerce', content: 'code', maxLength: 64 },
}

const learning: Properties = {
  lesson: { type: 'string', purpose: 'learning', content: 'code', maxLength: 64 },
  level: { type: 'integer', purpose: 'learning', min: 0, max: 10_000 },
  correct: { type: 'boolean', purpose: 'learning' },
  stars: { type: 'integer', purpose: 'learning', min: 0, max: 1_000 },
  duration_ms: { type: 'integer', purpose: 'learning', min: 0, max: 86_400_000 },
}

/**
 * The events known to every app. None of the properties is required, so that a first `curl` succeeds; an app that wants
 * more certainty extends a definition in its own file.
 */
export const BUILT_IN_EVENTS: readonly z.input<typeof EventDefinition>[] = [
  {
    name: 'page_view',
    description: 'A page was shown (Segment: page).',
    properties: {
      ...path,
      ...place,
      title: { type: 'string', purpose: 'analytics', maxLength: 512 },
      name: { type: 'string', purpose: 'analytics' },
      duration_ms: { type: 'integer', purpose: 'analytics', min: 0, max: 86_400_000 },
      scroll_percent: { type: 'number', purpose: 'analytics', min: 0, max: 100 },
    },
  },
  {
    name: 'screen',
    description: "A screen of an app was shown; the call's name is stored as its path.",
    properties: {
      name: { type: 'string', purpose: 'analytics', column: 'path', maxLength: 256 },
      ...place,
      ...learning,
    },
  },
  {
    name: 'button_click',
    description: 'A button, link or other element was used.',
    properties: {
      ...path,
      ...place,
      ...learning,
      element: { type: 'string', purpose: 'analytics', column: 'element', content: 'code', maxLength: 128 },
      label: { type: 'string', purpose: 'analytics', maxLength: 128 },
      product_id: { type: 'string', purpose: 'commerce', column: 'product', content: 'code', maxLength: 128 },
    },
  },
  {
    name: 'add_to_cart',
    description: 'A product was put in the cart.',
    properties: { ...path, ...place, ...product },
  },
  {
    name: 'purchase',
    description: 'An order was placed; revenue is the amount in `currency`.',
    properties: {
      ...path,
      ...place,
      ...product,
      order_id: { type: 'id', purpose: 'commerce', column: 'orderId' },
      revenue: { type: 'money', purpose: 'commerce', column: 'revenue' },
      tax: { type: 'money', purpose: 'commerce' },
      shipping: { type: 'money', purpose: 'commerce' },
      discount: { type: 'money', purpose: 'commerce' },
      items: { type: 'integer', purpose: 'commerce', min: 0, max: 1_000_000 },
      payment_method: {
        type: 'enum',
        purpose: 'commerce',
        values: ['card', 'paypal', 'invoice', 'transfer', 'wallet', 'cash', 'voucher', 'other'],
      },
    },
  },
  {
    name: 'identify',
    description: 'A person is known by a user id. Traits are personal unless declared here.',
    properties: {
      plan: { type: 'string', purpose: 'analytics', content: 'code', maxLength: 64 },
      email: {
        type: 'string',
        purpose: 'personalisation',
        sensitivity: 'personal',
        vault: true,
        contact: 'email',
      },
      name: { type: 'string', purpose: 'personalisation', sensitivity: 'personal', vault: true },
      phone: {
        type: 'string',
        purpose: 'operations',
        sensitivity: 'personal',
        vault: true,
        contact: 'phone',
      },
    },
  },
  { name: 'alias', description: 'Two ids are one person.', properties: {} },
  {
    name: 'group',
    description: 'A person belongs to an organisation or class; its id is not kept.',
    properties: { plan: { type: 'string', purpose: 'analytics', content: 'code', maxLength: 64 } },
  },
]
