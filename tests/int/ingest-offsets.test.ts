import { describe, expect, test } from 'vitest'
import { createEventProducer } from '../../kafka/event-producer.ts'
import { ensureTopics } from '../../kafka/topics.ts'
import { createLogger } from '../../runtime/logger.ts'
import { INGEST_TABLES, readStoredCounts, sameCounts, waitUntilIngested } from '../ingest-counts.ts'
import type { IngestProcess } from '../ingest-process.ts'
import { type IngestStage, onIngestStage } from '../ingest-stage.ts'
import { makeRecords } from '../made-records.ts'

/** A member that stored 100 records and left. */
async function storeAndLeave(stage: IngestStage): Promise<void> {
  const ingest = await stage.start()
  expect(await stage.store(makeRecords(0, 100))).toEqual(sameCounts(400))
  await ingest.stop()
}
const fatalCode = (ingest: IngestProcess) => ingest.lines.find((line) => line.level === 60)?.code

describe.concurrent('offsets that cannot be trusted', () => {
  test(
    'are refused when the group has none, yet rows are stored; the operator may go on from the rows',
    onIngestStage(async (stage) => {
      await storeAndLeave(stage)
      await stage.admin.deleteGroups([stage.groupId])
      const refused = await stage.start()
      expect(await refused.ended).toBe(1)
      expect(fatalCode(refused)).toBe('offsets_lost')

      await stage.start({ EBB_INGEST_RECOVER: 'rewind' })
      expect(await stage.store(makeRecords(100, 150))).toEqual(sameCounts(600))
    }),
  )

  test(
    'are refused when a tool has set them: it drops the declared cut',
    onIngestStage(async (stage) => {
      await storeAndLeave(stage)
      await stage.admin.setOffsets({
        groupId: stage.groupId,
        topic: stage.eventsTopic,
        partitions: [0, 1, 2].map((partition) => ({ partition, offset: '0' })),
      })
      const refused = await stage.start()
      expect(await refused.ended).toBe(1)
      expect(fatalCode(refused)).toBe('offsets_without_metadata')
      expect(await stage.counts()).toEqual(sameCounts(400))
    }),
  )

  test(
    'are refused when Kafka no longer has the records after them',
    onIngestStage(async (stage) => {
      await storeAndLeave(stage)
      await stage.send(makeRecords(100, 200))
      const ends = await stage.admin.fetchTopicOffsets(stage.eventsTopic)
      await stage.admin.deleteTopicRecords({
        topic: stage.eventsTopic,
        partitions: ends.map(({ partition, high }) => ({ partition, offset: high })),
      })
      const refused = await stage.start()
      expect(await refused.ended).toBe(1)
      expect(fatalCode(refused)).toBe('offsets_out_of_range')

      await stage.start({ EBB_INGEST_RECOVER: 'rewind' })
      expect(await stage.store(makeRecords(200, 250))).toEqual(sameCounts(600))
    }),
  )
})

describe.concurrent('a topic that was made anew', () => {
  test(
    'begins at its beginning, and its offsets are not taken for those of the old one',
    onIngestStage(async (stage) => {
      await storeAndLeave(stage)
      await stage.admin.deleteTopics({ topics: [stage.eventsTopic] })
      await stage.until(async () => !(await stage.admin.listTopics()).includes(stage.eventsTopic))
      await ensureTopics(stage.stage.config)
      const producer = await createEventProducer(stage.stage.config, createLogger('test', 'silent'))
      await stage.start()
      // The same offsets as before with other events, and retries of batches that the old topic brought.
      await producer.send([...makeRecords(500, 600), ...makeRecords(0, 50)])
      await waitUntilIngested(stage.stage)
      await producer.close()
      expect(await stage.counts()).toEqual(sameCounts(800))
    }),
  )
})

describe.concurrent('a ClickHouse that was restored from a backup', () => {
  test(
    'gets again what came after the backup, though Kafka has it as acknowledged',
    onIngestStage(async (stage) => {
      const ingest = await stage.start()
      await stage.store(makeRecords(0, 100))
      const backup = stage.stage.config.clickhouse.database
      for (const table of INGEST_TABLES)
        await stage.clickhouse
          .command({ query: `CREATE TABLE ${backup}.saved_${table} AS ${table}` })
          .then(() =>
            stage.clickhouse.command({ query: `INSERT INTO saved_${table} SELECT * FROM ${table}` }),
          )
      expect(await stage.store(makeRecords(100, 220))).toEqual(sameCounts(880))
      await ingest.stop()
      // Restored in place: the deduplication log of the tables still knows the later cuts.
      for (const table of INGEST_TABLES) await stage.clickhouse.command({ query: `TRUNCATE TABLE ${table}` })
      for (const table of INGEST_TABLES) {
        const partitions = await stage.clickhouse.query({
          query: `SELECT DISTINCT partition_id FROM system.parts WHERE database = currentDatabase() AND table = 'saved_${table}' AND active`,
          format: 'JSONEachRow',
        })
        for (const { partition_id } of await partitions.json<{ partition_id: string }>())
          await stage.clickhouse.command({
            query: `ALTER TABLE ${table} ATTACH PARTITION ID '${partition_id}' FROM saved_${table}`,
          })
      }
      expect(await readStoredCounts(stage.clickhouse)).toEqual(sameCounts(400))

      const heir = await stage.start()
      await stage.until(async () => (await stage.counts()).raw >= 880)
      expect(await stage.store(makeRecords(220, 240))).toEqual(sameCounts(960))
      expect(heir.lines.some((line) => String(line.msg).startsWith('rewound'))).toBe(true)
    }),
  )
})
