import { describe, expect, test } from 'vitest'
import { chooseCut } from './choose-cut.ts'
import { makeIngestRecord } from './fake-lane.ts'
import { createFetchHold } from './hold-fetches.ts'
import { createBufferBudget, sizeOfRecords } from './partition-buffer.ts'

const heartbeat = async () => {}
const always = () => true

function open(short: Set<number>) {
  const budget = createBufferBudget()
  const paused = new Set<number>()
  const gate = createFetchHold({
    budget,
    maxBytes: 100,
    isShort: (partition) => short.has(partition),
    partitions: () => [0, 1, 2],
    pause: (partition) => paused.add(partition),
    resume: (partitions) => {
      for (const partition of partitions) paused.delete(partition)
    },
  })
  return { budget, paused, gate }
}
/** Did it return without waiting for a release? */
const returnsAtOnce = (held: Promise<void>) =>
  Promise.race([held.then(() => true), new Promise((resolve) => setTimeout(resolve, 20, false))])

describe('a full buffer', () => {
  test('holds the next fetch until something was written', async () => {
    const { budget, gate } = open(new Set())
    budget.add(101)
    const held = gate.hold(0, always, heartbeat)
    expect(await returnsAtOnce(held)).toBe(false)
    budget.release(50)
    await held
  })
  test('never holds a partition that lacks records of its declared cut: it could write nothing before', async () => {
    const short = new Set([0, 1, 2])
    const { budget, gate, paused } = open(short)
    budget.add(1_000)
    for (const partition of short)
      expect(await returnsAtOnce(gate.hold(partition, always, heartbeat))).toBe(true)
    expect(paused.size).toBe(0)
  })
  test('pauses the others meanwhile, instead of letting them grow or keep their broker waiting', async () => {
    const short = new Set([0])
    const { budget, gate, paused } = open(short)
    budget.add(1_000)
    expect(await returnsAtOnce(gate.hold(1, always, heartbeat))).toBe(true)
    expect([...paused]).toEqual([1])
    short.clear()
    const held = gate.hold(0, always, heartbeat)
    expect(paused.size).toBe(0)
    expect(await returnsAtOnce(held)).toBe(false)
    budget.release(1_000)
    await held
  })
  test('holds nobody whose session is over', async () => {
    const { budget, gate } = open(new Set())
    budget.add(1_000)
    expect(await returnsAtOnce(gate.hold(0, () => false, heartbeat))).toBe(true)
  })
})

test('a cut of small records is bounded by what they take in memory, so that its repeat fits there', () => {
  const records = Array.from({ length: 100 }, (_, offset) => makeIngestRecord(offset))
  const bounds = { maxRecords: Number.POSITIVE_INFINITY, maxRows: 1_000, maxBytes: 10_000 }
  const taken = chooseCut(records, bounds)
  expect(sizeOfRecords(records.slice(0, taken))).toBeLessThanOrEqual(bounds.maxBytes)
  expect(taken).toBeGreaterThan(10)
})
