import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { publishRevocation } from '../../kafka/revocations.ts'
import { createLogger } from '../../runtime/logger.ts'
import { INGEST_TABLES, sameCounts } from '../ingest-counts.ts'
import { type IngestStage, onIngestStage } from '../ingest-stage.ts'
import { makeRecords, randomSubject } from '../made-records.ts'

const silent = createLogger('test', 'silent')
const revoke = (stage: IngestStage, token: Buffer) =>
  publishRevocation(stage.stage.config, silent, token, Date.now())

describe.concurrent('a revoked token', () => {
  test(
    'is stored no more from the revocation on; others are',
    onIngestStage(async (stage) => {
      await stage.start()
      const subject = randomSubject()
      expect(await stage.store([...makeRecords(0, 10, { subject }), ...makeRecords(10, 20)])).toEqual(
        sameCounts(80),
      )
      await revoke(stage, subject)
      expect(await stage.store([...makeRecords(20, 30, { subject }), ...makeRecords(30, 40)])).toEqual(
        sameCounts(120),
      )
    }),
  )

  test(
    'is not stored by a replay of the topic from offset 0, which stores everybody else’s events once',
    onIngestStage(async (stage) => {
      const first = await stage.start()
      const subject = randomSubject()
      expect(await stage.store([...makeRecords(0, 10, { subject }), ...makeRecords(10, 20)])).toEqual(
        sameCounts(80),
      )
      await first.stop()
      await revoke(stage, subject)
      // All that ClickHouse held is lost, and what it had read of Kafka with it.
      for (const table of INGEST_TABLES) await stage.clickhouse.command({ query: `TRUNCATE TABLE ${table}` })
      await stage.admin.deleteGroups([stage.groupId])
      await stage.start()
      expect(await stage.store([])).toEqual(sameCounts(40))
    }),
  )

  test(
    'is passed by every partition, also by a member that never saw a record: the drain barrier',
    onIngestStage(async (stage) => {
      await stage.start()
      const offset = Number(await revoke(stage, randomSubject()))
      await stage.until(async () =>
        (await stage.progress()).every(({ metadata }) => (metadata?.rev ?? -1) > offset),
      )
      const later = Number(await revoke(stage, randomSubject()))
      await stage.until(async () =>
        (await stage.progress()).every(({ metadata }) => (metadata?.rev ?? -1) > later),
      )
    }),
  )

  /** Dies between declaring a cut and inserting it; the revocation comes before the next owner repeats the cut. */
  const revokeBeforeRepeat = async (stage: IngestStage, environment: Record<string, string>) => {
    const subject = randomSubject()
    const victim = await stage.start({ EBB_FAULT: 'ingest.before-insert:1' })
    await stage.send(makeRecords(0, 10, { subject }))
    expect(await Promise.race([victim.ended, sleep(20_000, 'still alive')])).toBe('SIGKILL')
    await revoke(stage, subject)
    await stage.start(environment)
    return stage.store(makeRecords(10, 20, { subject }))
  }

  test(
    'is judged in a repeated cut as it was when the cut was declared',
    onIngestStage(async (stage) => {
      expect(await revokeBeforeRepeat(stage, {})).toEqual(sameCounts(40))
    }),
  )

  test(
    'would be judged otherwise by a member that looks at the revocations of now',
    onIngestStage(async (stage) => {
      const broken = { EBB_DRILL: '1', EBB_INGEST_BREAK: 'revocations-of-now' }
      expect(await revokeBeforeRepeat(stage, broken)).toEqual(sameCounts(0))
    }),
  )
})
