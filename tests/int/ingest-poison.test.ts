import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createKafka } from '../../kafka/client.ts'
import { encodeEventRecord } from '../../kafka/encode-event-record.ts'
import { createLogger } from '../../runtime/logger.ts'
import { TOPICS } from '../../schemas/event-record.ts'
import { startClickHouseProxy } from '../clickhouse-proxy.ts'
import { sameCounts, waitUntilIngested } from '../ingest-counts.ts'
import { createIngestStage, type IngestStage } from '../ingest-stage.ts'
import { type MadeRecord, makeRecord, makeRecords } from '../made-records.ts'
import { readTopic } from '../read-topic.ts'

const silent = createLogger('test', 'silent')
let stage: IngestStage
beforeAll(async () => {
  stage = await createIngestStage()
})
afterAll(() => stage.close())

/** Writes straight into the topic, as somebody who is not a collector. */
async function smuggle(
  messages: { key: Buffer | null; value: Buffer | null; headers?: Record<string, Buffer> }[],
) {
  const producer = createKafka(stage.stage.config, silent, 'smuggler').producer()
  await producer.connect()
  await producer.send({
    topic: stage.eventsTopic,
    messages: messages.map((message) => ({ ...message, partition: 0 })),
  })
  await producer.disconnect()
}
const rejections = async () => {
  const counts = new Map<string, number>()
  for (const { value } of await readTopic(stage.stage.config, TOPICS.eventsRejected)) {
    const { code, count } = JSON.parse(value!.toString()) as { code: string; count: number }
    counts.set(code, (counts.get(code) ?? 0) + count)
  }
  return Object.fromEntries(counts)
}
/** A gate's bug: headers and checksum are right, the rows are not what their format says. */
const unreadable = (number: number): MadeRecord => ({
  ...makeRecord(number, { subject: Buffer.alloc(16, 1) }),
  rows: Buffer.from('not rows at all, though somebody vouched for them with a checksum'),
})

describe('a poison record', () => {
  test('goes to events_rejected by its reason, and never stops a partition', async () => {
    await stage.start()
    await stage.store(makeRecords(0, 50))
    const good = encodeEventRecord(makeRecord(1_000), 1)
    await smuggle([
      { key: null, value: Buffer.from('{"user":"somebody"}') },
      { key: Buffer.alloc(16, 2), value: null },
      { key: good.key, value: good.value, headers: { ...good.headers, f: Buffer.from([0, 0]) } },
      { key: good.key, value: Buffer.from('changed on the way'), headers: good.headers },
    ])
    expect(await stage.store(makeRecords(50, 60))).toEqual(sameCounts(240))
    expect(await rejections()).toEqual({ foreign_record: 2, unknown_format: 4, corrupt_record: 4 })
  })

  test('that somebody vouched for, though its rows are misshapen, is refused; the records around it are stored', async () => {
    const before = (await stage.counts()).raw
    const records = makeRecords(100, 200, { subject: Buffer.alloc(16, 1) })
    records.splice(37, 0, unreadable(2_000))
    records.splice(80, 0, unreadable(2_001))
    expect(await stage.store(records)).toEqual(sameCounts(before + 400))
    expect((await rejections()).unreadable_rows).toBe(8)
    const written = await readTopic(stage.stage.config, TOPICS.eventsRejected)
    for (const { value } of written) expect(value!.toString()).not.toMatch(/vouched|somebody/)
  })
})

describe.concurrent('a ClickHouse that is away', () => {
  test('is waited for: nothing is lost, nothing doubled, and the member keeps its partitions', async () => {
    const away = await createIngestStage()
    const proxy = await startClickHouseProxy(away.stage.config.clickhouse.url)
    try {
      const ingest = await away.start({ EBB_CLICKHOUSE_URL: proxy.url })
      await away.store(makeRecords(0, 50))
      proxy.down()
      await away.send(makeRecords(50, 150))
      // Longer than the session: the member must have kept it by its heartbeats.
      await sleep(7_500)
      await away.send([...makeRecords(150, 200), ...makeRecords(50, 100)])
      expect((await away.counts()).raw).toBe(200)
      proxy.up()
      await waitUntilIngested(away.stage)
      expect(await away.counts()).toEqual(sameCounts(800))
      expect(ingest.lines.filter((line) => line.msg === 'partitions owned')).toHaveLength(1)
    } finally {
      await away.close()
      await proxy.close()
    }
  })
})

describe.concurrent('a client that retries long after', () => {
  test('is counted once: a fresh member finds the batch in ClickHouse', async () => {
    const retries = await createIngestStage()
    try {
      const first = await retries.start()
      await retries.store(makeRecords(0, 60))
      await first.stop()
      // Twenty-three hours pass.
      const aged = `INSERT INTO ingest_seen SELECT partition, hash, offset, at - INTERVAL 23 HOUR FROM ingest_seen`
      await retries.clickhouse.command({ query: `CREATE TABLE kept AS ingest_seen` })
      await retries.clickhouse.command({ query: aged.replace('INTO ingest_seen', 'INTO kept') })
      await retries.clickhouse.command({ query: 'TRUNCATE TABLE ingest_seen' })
      await retries.clickhouse.command({ query: 'INSERT INTO ingest_seen SELECT * FROM kept' })
      await retries.start()
      expect(await retries.store(makeRecords(0, 80))).toEqual(sameCounts(320))
    } finally {
      await retries.close()
    }
  })
})
