import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createIngestHolder } from '../../activities/with-ingest-held.ts'
import { countSubjectRows } from '../../clickhouse/count-subject-rows.ts'
import { eraseSubjects } from '../../clickhouse/erase-subjects.ts'
import { rederiveAggregates, type WithIngestHeld } from '../../clickhouse/rederive-aggregates.ts'
import { publishRevocation } from '../../kafka/revocations.ts'
import { createLogger } from '../../runtime/logger.ts'
import { waitUntilIngested } from '../ingest-counts.ts'
import { type IngestStage, onIngestStage } from '../ingest-stage.ts'
import { makeRecords, randomSubject } from '../made-records.ts'
import { differingViews } from './clickhouse-rows.ts'

const silent = createLogger('test', 'silent')

/** Events of the past day beside those of now, so that both days' partitions are written all the time. */
function records(from: number, to: number, subject?: Buffer) {
  const at = Date.now() - (from % 80 === 0 ? 86_400_000 : 0)
  return makeRecords(from, to, subject ? { subject, at } : { at })
}

/** Erases someone while batches keep coming. @returns rows left of the person, and live tables that differ from raw. */
async function eraseUnderLoad(stage: IngestStage, withIngestHeld: WithIngestHeld) {
  const subject = randomSubject()
  await stage.start()
  await stage.store([...records(0, 40, subject), ...records(40, 120)])
  let sent = 120
  let sending = true
  const load = (async () => {
    while (sending) {
      await stage.send([...records(sent, sent + 38), ...records(sent + 38, sent + 40, subject)])
      sent += 40
      await sleep(10)
    }
  })()
  const offset = Number(await publishRevocation(stage.stage.config, silent, subject, Date.now()))
  await stage.until(async () =>
    (await stage.progress()).every(({ metadata }) => (metadata?.rev ?? -1) > offset),
  )
  await eraseSubjects(stage.clickhouse, randomUUID(), [subject])
  await rederiveAggregates({ clickhouse: stage.clickhouse, withIngestHeld })
  sending = false
  await load
  await waitUntilIngested(stage.stage)
  return {
    left: await countSubjectRows(stage.clickhouse, subject),
    differing: await differingViews(stage.clickhouse),
  }
}

describe.concurrent('an erasure while ingest writes at full rate', () => {
  test(
    'leaves no row, and aggregates that equal raw',
    onIngestStage(async (stage) => {
      const found = await eraseUnderLoad(stage, createIngestHolder(stage.stage.config, silent))
      expect(found).toEqual({ left: {}, differing: [] })
    }),
    300_000,
  )

  test(
    'without the hold loses what is inserted between the last count and the swap',
    onIngestStage(async (stage) => {
      // It is asked between the last count and the swap: as long there as a busy server may need, so that inserts fall in.
      const unheld: WithIngestHeld = (work) =>
        work(() => {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000)
          return Number.POSITIVE_INFINITY
        })
      const found = await eraseUnderLoad(stage, unheld)
      expect(found.left).toEqual({})
      expect(found.differing).not.toEqual([])
    }),
    300_000,
  )
})
