import { expect, it } from 'vitest'
import { cutBatches } from './send.ts'

const sizes = (events: unknown[]) => cutBatches(events).map(({ body }) => body.batch.length)

it('cuts a file into batches of 100 events', () => {
  expect(sizes(Array.from({ length: 250 }, () => ({ event: 'page_view' })))).toEqual([100, 100, 50])
})

it('keeps each batch below what the collector takes, and a huge event to itself', () => {
  const large = { properties: { text: 'x'.repeat(150_000) } }
  const huge = { properties: { text: 'x'.repeat(600_000) } }
  expect(sizes([large, large, large, huge, large])).toEqual([2, 1, 1, 1])
})

it('sends nothing for an empty file', () => {
  expect(sizes([])).toEqual([])
})
