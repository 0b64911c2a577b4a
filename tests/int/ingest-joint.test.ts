import { setTimeout as sleep } from 'node:timers/promises'
import type kafkajs from 'kafkajs'
import { describe, expect, test } from 'vitest'
import { insertEvents } from '../../clickhouse/insert-events.ts'
import { createKafka } from '../../kafka/client.ts'
import { encodeCutMetadata } from '../../kafka/cut-metadata.ts'
import { createEventProducer } from '../../kafka/event-producer.ts'
import { readTopicIdentity } from '../../kafka/topic-identity.ts'
import { createLogger } from '../../runtime/logger.ts'
import { ROW_FORMAT } from '../../schemas/event-row.ts'
import { packPosition } from '../../workers/ingest/cut-position.ts'
import { readCutEnd } from '../../workers/ingest/read-stored-positions.ts'
import { sameCounts, waitUntilIngested } from '../ingest-counts.ts'
import type { IngestProcess } from '../ingest-process.ts'
import { type IngestStage, onIngestStage } from '../ingest-stage.ts'
import { makeRecord, makeRecords, randomSubject } from '../made-records.ts'

const silent = createLogger('test', 'silent')

/** Sends to all partitions in portions, until `done`. @returns how many records were sent */
async function sendUntil(stage: IngestStage, done: () => boolean): Promise<number> {
  let sent = 0
  for (; !done(); sent += 30) {
    await stage.send(makeRecords(sent, sent + 30))
    await sleep(80)
  }
  return sent
}

/** Rows by the form of their cut. */
async function countForms(stage: IngestStage): Promise<{ joint: number; solo: number }> {
  const answer = await stage.clickhouse.query({
    query: `SELECT toUInt32(countIf(cut != '' AND partition = 65535)) AS joint, toUInt32(countIf(cut = '' AND partition < 3)) AS solo
            FROM events_raw`,
    format: 'JSONEachRow',
  })
  return (await answer.json<{ joint: number; solo: number }>())[0]!
}

describe.concurrent('the cuts of several partitions in one insert', { timeout: 300_000 }, () => {
  test.each(['ingest.after-declare', 'ingest.after-insert', 'ingest.before-ack'])(
    'are repeated as that insert by the next owner of a member that was killed at %s',
    (point) =>
      onIngestStage(async (stage) => {
        const victim = await stage.start({ EBB_FAULT: `${point}:5` })
        let dead = false
        void victim.ended.then(() => {
          dead = true
        })
        const sent = await sendUntil(stage, () => dead)
        const open = (await stage.progress()).filter(({ metadata, committed }) => metadata!.end > committed)
        expect(open.length).toBeGreaterThan(1)
        expect(new Set(open.map(({ metadata }) => JSON.stringify(metadata!.joint))).size).toBe(1)
        expect(open[0]!.metadata!.joint).toHaveLength(3)
        // More to cut than was declared.
        await stage.send(makeRecords(sent, sent + 60))
        await stage.start()
        await waitUntilIngested(stage.stage, 90_000)
        expect(await stage.counts()).toEqual(sameCounts((sent + 60) * 4))
        expect((await countForms(stage)).joint).toBeGreaterThan(0)
      })(),
  )

  test(
    'tell how far each partition is stored, beside those of one partition',
    onIngestStage(async (stage) => {
      await stage.start()
      const began = Date.now()
      const sent = await sendUntil(stage, () => Date.now() - began > 2_000)
      await waitUntilIngested(stage.stage, 90_000)
      const { joint, solo } = await countForms(stage)
      expect(joint + solo).toBe(sent * 4)
      expect(joint).toBeGreaterThan(0)
      for (const { partition, committed, metadata } of await stage.progress())
        expect(await readCutEnd(stage.clickhouse, partition, metadata!.epoch)).toBe(committed)
      // What merges and deletes rewrite keeps it.
      await stage.clickhouse.command({ query: 'OPTIMIZE TABLE events_raw FINAL' })
      expect(await countForms(stage)).toEqual({ joint, solo })
    }),
  )

  test(
    'become one a partition while a record is sought that ClickHouse cannot read, and one again after it',
    onIngestStage(async (stage) => {
      // The one thing that this server cannot read, though shape and checksum are right.
      await stage.clickhouse.command({
        query: `ALTER TABLE events_raw ADD COLUMN readable UInt8 MATERIALIZED toUInt8(if(product = 'bad', 'x', '1'))`,
      })
      await stage.start()
      const good = makeRecord(9_000)
      const bad = {
        ...good,
        rows: Buffer.from(Buffer.from(good.rows).toString('latin1').replaceAll('cup', 'bad'), 'latin1'),
      }
      await stage.send([...makeRecords(0, 100), bad, ...makeRecords(100, 200)])
      await waitUntilIngested(stage.stage, 90_000)
      const before = await countForms(stage)
      expect(before.solo).toBeGreaterThan(0)
      const sent = 200
      for (let number = sent; number < 320; number += 30) {
        await stage.send(makeRecords(number, number + 30))
        await sleep(80)
      }
      await waitUntilIngested(stage.stage, 90_000)
      expect(await stage.counts()).toEqual(sameCounts(320 * 4))
      expect((await countForms(stage)).joint).toBeGreaterThan(before.joint)
    }),
  )

  test(
    'are refused when one of their partitions was moved; on the operator’s word it goes on from what is stored',
    onIngestStage(async (stage) => {
      const victim = await stage.start({ EBB_FAULT: 'ingest.after-insert:5' })
      let dead = false
      void victim.ended.then(() => {
        dead = true
      })
      const sent = await sendUntil(stage, () => dead)
      const open = (await stage.progress()).filter(({ metadata, committed }) => metadata!.end > committed)
      const { partition, committed, metadata } = open[0]!
      const text = encodeCutMetadata({ ...metadata!, end: committed, joint: undefined })
      const leave = await joinAsStranger(stage, (_, commit) => commit(partition, committed, text))
      await leave()
      const refused = await stage.start()
      expect(await refused.ended).toBe(1)
      expect(refused.lines.find((line) => line.level === 60)?.code).toBe('joint_cut_torn')
      const heir = await stage.start({ EBB_INGEST_RECOVER: 'rewind' })
      await stage.until(
        async () => (await stage.progress()).every((one) => one.committed >= one.high),
        40_000,
      )
      // The one that was moved is read again: its acknowledgement was not ours. The others begin behind the stored cut.
      const counts = await stage.counts()
      expect(counts.distinct).toBe(sent * 4)
      const twice = open[0]!.metadata!.joint!.find((share) => share.partition === partition)!
      expect(counts.raw - counts.distinct).toBe((twice.end - twice.start) * 4)
      await heir.stop()
    }),
  )
})

type BatchPayload = kafkajs.EachBatchPayload
type Commit = (offsets: object) => Promise<void>

/**
 * Joins the group as nobody of ours would, with kafkajs's round robin as the release before did, and does something with
 * the first batch; commits are fenced like anybody's. @returns leaves the group
 */
async function joinAsStranger(
  stage: IngestStage,
  onBatch: (
    payload: BatchPayload,
    commit: (partition: number, offset: number, metadata: string) => Promise<void>,
  ) => Promise<void>,
): Promise<() => Promise<void>> {
  const topic = stage.eventsTopic
  // A member that was killed is in the group until its session runs out, and keeps strangers out like a living one.
  await stage.until(async () => {
    const { groups } = await stage.admin.describeGroups([stage.groupId])
    return ['Empty', 'Dead'].includes(groups[0]!.state)
  })
  const consumer = createKafka(stage.stage.config, silent, 'stranger').consumer({ groupId: stage.groupId })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await new Promise<void>((resolve, reject) => {
    let done = false
    const eachBatch = async (payload: BatchPayload) => {
      if (done) return
      done = true
      const commitOffsets = payload.commitOffsetsIfNecessary as Commit
      await onBatch(payload, (partition, offset, metadata) =>
        commitOffsets({ topics: [{ topic, partitions: [{ partition, offset: String(offset), metadata }] }] }),
      ).then(resolve, reject)
    }
    consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch }).then(() => {
      for (const partition of done ? [] : [0, 1, 2]) consumer.seek({ topic, partition, offset: '0' })
    }, reject)
  })
  // Not from within its batch: it would wait for itself.
  return () => sleep(1_000).then(() => consumer.disconnect())
}

describe.concurrent('a member of the release before, which cuts each partition for itself', () => {
  test(
    'keeps new members out while it is there; its declared cut is repeated alone and under its own token',
    { timeout: 300_000 },
    onIngestStage(async (stage) => {
      const subject = randomSubject()
      const { clusterId, topicId, epoch } = await readTopicIdentity(
        stage.stage.config.kafka.brokers,
        stage.eventsTopic,
      )
      await stage.send(makeRecords(0, 20, { subject }))
      let declared = 0
      const leave = await joinAsStranger(stage, async ({ batch: { partition, messages } }, commit) => {
        declared = messages.length
        await commit(partition, 0, JSON.stringify({ v: 1, end: declared, rev: 0, epoch, era: '0', since: 1 }))
        await insertEvents(stage.clickhouse, {
          rows: messages.map(({ value }) => value!),
          format: ROW_FORMAT,
          partition,
          cutEnd: packPosition(epoch, declared),
          token: [clusterId, topicId, 0, partition, 0, declared].join('/'),
          deadlineMs: Date.now() + 10_000,
        })
      })
      expect((await stage.counts()).raw).toBe(declared * 4)
      const newcomer = await stage.start()
      expect(await Promise.race([newcomer.ended, sleep(30_000, 'still there')])).toBe(1)
      await leave()
      await stage.send([...makeRecords(20, 40, { subject }), ...makeRecords(40, 100)])
      await stage.start()
      await waitUntilIngested(stage.stage, 90_000)
      expect(await stage.counts()).toEqual(sameCounts(400))
    }),
  )
})

describe.concurrent('two lanes', () => {
  test(
    'are shared by two members, move whole, and lose or double nothing while members come and go',
    { timeout: 300_000 },
    onIngestStage(async (stage) => {
      await stage.admin.createPartitions({ topicPartitions: [{ topic: stage.eventsTopic, count: 6 }] })
      const producer = await createEventProducer(stage.stage.config, silent)
      let sent = 0
      let sending = true
      const load = (async () => {
        for (; sending; sent += 40) {
          await producer.send(makeRecords(sent, sent + 40))
          await sleep(60)
        }
      })()
      const first = await stage.start()
      await sleep(1_500)
      const second = await stage.start()
      await stage.until(() => [first, second].every((member) => ownedBy(member).at(-1)?.length === 3), 60_000)
      await sleep(1_000)
      first.kill('SIGKILL')
      await stage.until(() => ownedBy(second).at(-1)?.length === 6, 60_000)
      const third = await stage.start()
      await stage.until(() => ownedBy(third).at(-1)?.length === 3, 60_000)
      second.kill('SIGTERM')
      expect(await second.ended).toBe(0)
      await stage.until(() => ownedBy(third).at(-1)?.length === 6, 60_000)
      sending = false
      await load
      await producer.close()
      await waitUntilIngested(stage.stage, 90_000)
      expect(await stage.counts()).toEqual(sameCounts(sent * 4))
      for (const partitions of [first, second, third].flatMap(ownedBy))
        expect(['', '0,1,2', '3,4,5', '0,1,2,3,4,5']).toContain(partitions.join())
      const answer = await stage.clickhouse.query({
        query: `SELECT DISTINCT toUInt32(partition) AS lane FROM events_raw WHERE cut != '' ORDER BY lane`,
        format: 'JSONEachRow',
      })
      expect(await answer.json()).toEqual([{ lane: 65_534 }, { lane: 65_535 }])
    }),
  )
})

function ownedBy(member: IngestProcess): number[][] {
  return member.lines
    .filter((line) => line.msg === 'partitions owned')
    .map((line) => (line.partitions as number[]).toSorted((a, b) => a - b))
}
