import { expect, it } from 'vitest'
import { readConfig } from '../runtime/config.ts'
import { createLogger } from '../runtime/logger.ts'
import { readRejections } from './read-rejections.ts'

const DAY_MS = 86_400_000

it('a day that the topic no longer keeps has no counts and is not called complete, without asking Kafka', async () => {
  const config = readConfig({ EBB_KAFKA_BROKERS: '127.0.0.1:1' })
  const now = Date.parse('2026-11-21T10:00:00Z')
  const from = Date.parse('2026-11-11T00:00:00Z')
  const read = await readRejections(config, createLogger('test', 'fatal'), from, from + DAY_MS, now)
  expect(read).toEqual({ counts: [], complete: false })
})
