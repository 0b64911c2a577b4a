import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { publishRevocation } from '../../kafka/revocations.ts'
import { createLogger } from '../../runtime/logger.ts'
import { sameCounts } from '../ingest-counts.ts'
import { type IngestStage, onIngestStage } from '../ingest-stage.ts'
import { makeRecords, randomSubject } from '../made-records.ts'

/** A member that breaks a promise is killed at a fault point; one that breaks it too goes on. */
async function crashBroken(stage: IngestStage, promise: string, point: string) {
  const broken = { EBB_DRILL: '1', EBB_INGEST_BREAK: promise }
  const subject = randomSubject()
  const victim = await stage.start({ ...broken, EBB_FAULT: `${point}:2` })
  await stage.store(makeRecords(0, 20, { subject }))
  await stage.send(makeRecords(20, 40, { subject }))
  expect(await Promise.race([victim.ended, sleep(20_000, 'still alive')])).toBe('SIGKILL')
  await stage.send(makeRecords(40, 60, { subject }))
  await stage.start(broken)
  return stage.store(makeRecords(60, 80, { subject }))
}

describe.concurrent('a crash shows', () => {
  test(
    'what is counted twice without a token',
    onIngestStage(async (stage) => {
      const counts = await crashBroken(stage, 'no-token', 'ingest.after-insert')
      expect(counts.distinct).toBe(320)
      expect(counts.raw).toBe(400)
      expect(counts.daily).toBe(400)
    }),
  )
  test(
    'what is counted twice when the new owner cuts as it likes',
    onIngestStage(async (stage) => {
      const counts = await crashBroken(stage, 'no-declared-end', 'ingest.after-insert')
      expect(counts.distinct).toBe(320)
      expect(counts.raw).toBe(400)
    }),
  )
  test(
    'what is lost by committing first',
    onIngestStage(async (stage) => {
      await crashBroken(stage, 'commit-first', 'ingest.before-insert')
      // What is committed first may not be inserted yet: wait for it, and then for what does not come.
      await stage.until(async () => (await stage.counts()).sessions >= 240)
      await sleep(1_000)
      expect(await stage.counts()).toEqual(sameCounts(240))
    }),
  )
})

describe.concurrent('a member that breaks a promise', () => {
  test(
    'counts client retries twice when it does not look for them',
    onIngestStage(async (stage) => {
      await stage.start({ EBB_DRILL: '1', EBB_INGEST_BREAK: 'no-seen' })
      await stage.store(makeRecords(0, 10))
      expect((await stage.store(makeRecords(0, 10))).raw).toBe(80)
    }),
  )
  test(
    'stores what is revoked when it does not look',
    onIngestStage(async (stage) => {
      await stage.start({ EBB_DRILL: '1', EBB_INGEST_BREAK: 'no-revocation' })
      const subject = randomSubject()
      await publishRevocation(stage.stage.config, createLogger('test', 'silent'), subject, Date.now())
      expect((await stage.store(makeRecords(0, 10, { subject }))).raw).toBe(40)
    }),
  )
  test(
    'does not start outside a drill',
    onIngestStage(async (stage) => {
      const refused = await stage.start({ EBB_INGEST_BREAK: 'no-seen' })
      expect(await refused.ended).toBe(1)
    }),
  )
})
