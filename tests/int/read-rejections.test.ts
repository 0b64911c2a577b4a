import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRejections } from '../../kafka/read-rejections.ts'
import { createRejectionProducer } from '../../kafka/rejection-producer.ts'
import { createLogger } from '../../runtime/logger.ts'
import { createStage, type Stage } from '../stage.ts'

const DAY_MS = 86_400_000
const logger = createLogger('test', 'fatal')
const now = Date.now()
let stage: Stage

beforeAll(async () => {
  stage = await createStage()
  const producer = await createRejectionProducer(stage.config, logger)
  producer.count({ app: 'shop', code: 'unknown_event', event: '', count: 3, at: now })
  producer.count({ app: 'shop', code: 'undeclared_property', event: '', count: 7, at: now })
  producer.count({ app: 'shop', code: 'too_old', event: '', count: 2, at: now - DAY_MS })
  await producer.close()
})
afterAll(() => stage?.close())

describe('rejections of a time', () => {
  it('are summed by app and code, and complete while the topic keeps all of it', async () => {
    expect(await readRejections(stage.config, logger, now - DAY_MS / 2, now + 1)).toEqual({
      counts: [
        { app: 'shop', code: 'undeclared_property', count: 7 },
        { app: 'shop', code: 'unknown_event', count: 3 },
      ],
      complete: true,
    })
  })

  it('are what is left, and said to be, when the time began before what the topic keeps', async () => {
    const read = await readRejections(stage.config, logger, now - 8 * DAY_MS, now + 1)
    expect(read.counts).toHaveLength(3)
    expect(read.complete).toBe(false)
  })
})
