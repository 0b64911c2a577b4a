import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MockActivityEnvironment } from '@temporalio/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createWriteBusinessReport } from '../../activities/write-business-report.ts'
import { aggregateDay } from '../../clickhouse/aggregate-day.ts'
import { type ClickHouseClient, createClickHouse } from '../../clickhouse/client.ts'
import { swapDay } from '../../clickhouse/swap-day.ts'
import { readRejections } from '../../kafka/read-rejections.ts'
import { createRejectionProducer } from '../../kafka/rejection-producer.ts'
import { createLogger } from '../../runtime/logger.ts'
import { addDays, dayOf, startOfDay } from '../../schemas/day.ts'
import type { ReportResult } from '../../schemas/etl.ts'
import { insertRaw, makeDay } from '../seed-day.ts'
import { createStage, type Stage } from '../stage.ts'

const logger = createLogger('test', 'fatal')
const TODAY = dayOf(Date.now())
const DAY = addDays(TODAY, -1)
const noon = startOfDay(TODAY) + 12 * 3_600_000
let stage: Stage
let folder: string
let clickhouse: ClickHouseClient

/** Markdown of a day's report, of the engines as they are. */
async function report(day: string): Promise<string> {
  const write = createWriteBusinessReport({
    clickhouse,
    readRejections: (from, to) => readRejections(stage.config, logger, from, to, noon),
    reportsFolder: folder,
    now: () => noon,
  })
  const { path }: ReportResult = await new MockActivityEnvironment().run(write, { day })
  return await readFile(path, 'utf8')
}

async function recount(day: string): Promise<void> {
  const { staged } = await aggregateDay(clickhouse, day)
  await swapDay(clickhouse, day, staged)
}

beforeAll(async () => {
  stage = await createStage()
  folder = await mkdtemp(join(tmpdir(), 'ebb-report-'))
  clickhouse = createClickHouse(stage.config)
  const people = (day: string) =>
    makeDay(day, 60).filter(({ event, person }) => event !== 'purchase' || person < 18)
  for (const day of [addDays(DAY, -1), DAY, TODAY]) await insertRaw(clickhouse, people(day))
  await recount(addDays(DAY, -1))
  const producer = await createRejectionProducer(stage.config, logger)
  const at = startOfDay(DAY) + 1_000
  producer.count({ app: 'shop', code: 'unknown_event', event: '', count: 3, at })
  producer.count({ app: 'shop', code: 'undeclared_property', event: '', count: 7, at })
  await producer.close()
})
afterAll(async () => {
  await clickhouse?.close()
  if (folder) await rm(folder, { recursive: true, force: true })
  await stage?.close()
})

describe('the report of a day', () => {
  it('is no alarm before the day is recounted, and compares it once it is', async () => {
    const before = await report(DAY)
    expect(before).toContain(`Not recounted yet: run \`ebb etl --date ${DAY}\`.`)
    expect(before).not.toMatch(/differ|Day before/)
    await recount(DAY)
    const after = await report(DAY)
    expect(after).toContain('Batch and streaming metrics agree in all')
    expect(after).toMatch(/\| Events \| (\d+) \| \1 \| 0\.0 % \|/)
  })

  it('says of three purchasers what it says of them everywhere: fewer than 5', async () => {
    const markdown = await report(DAY)
    expect(markdown).toContain('| Purchases | fewer than 5 | fewer than 5 | – | – | – |')
    expect(markdown).toContain('| shop | 60 | 30 | 50.0 % | fewer than 5 | – |')
    expect(markdown).toMatch(/\| shop \| product-0 \| \d+ \| fewer than 5 \| fewer than 5 \|/)
  })

  it('counts refused events and fields left out apart', async () => {
    const markdown = await report(DAY)
    expect(markdown).toContain('| shop | unknown_event | 3 |\n| All |  | 3 |')
    expect(markdown).toContain('| shop | undeclared_property | 7 |\n| All |  | 7 |')
  })

  it('tells no change of a day that is not over, and nothing of a day without events', async () => {
    await recount(TODAY)
    const today = await report(TODAY)
    expect(today).toContain('The day is not over')
    expect(today).not.toContain('Change')
    const empty = await report(addDays(DAY, -20))
    expect(empty).toContain('No events that day.')
    expect(empty).not.toMatch(/agree|recounted/)
    expect(empty).toContain('| All |  | – |')
  })
})
