import { expect, test } from 'vitest'
import { makeIngestRecord } from './fake-lane.ts'
import { createBufferBudget, createPartitionBuffer } from './partition-buffer.ts'

const nobody = { wake: () => undefined }

test('takes each record once, and none behind a gap', () => {
  const buffer = createPartitionBuffer(5, createBufferBudget(), nobody)
  expect(buffer.append([3, 4, 5, 6].map((offset) => makeIngestRecord(offset)))).toBe(true)
  expect(buffer.append([6, 7].map((offset) => makeIngestRecord(offset)))).toBe(true)
  expect(buffer.append([makeIngestRecord(9)])).toBe(false)
  expect(buffer.records().map(({ offset }) => offset)).toEqual([5, 6, 7])
  expect(buffer.nextOffset()).toBe(8)
})

test('keeps nothing that arrives once its partition is gone, and takes no room for it', () => {
  const budget = createBufferBudget()
  const buffer = createPartitionBuffer(0, budget, nobody)
  buffer.append([makeIngestRecord(0)])
  expect(budget.bytes()).toBeGreaterThan(0)
  buffer.close()
  expect(buffer.append([makeIngestRecord(1)])).toBe(true)
  expect(buffer.records()).toEqual([])
  expect(budget.bytes()).toBe(0)
})
