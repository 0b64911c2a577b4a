import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRevocationPublisher } from '../../kafka/revocations.ts'
import { createSubjectStatePublisher, requestKey } from '../../kafka/subject-states.ts'
import { createLogger } from '../../runtime/logger.ts'
import { TOPICS } from '../../schemas/event-record.ts'
import { readKeys } from '../../workers/verifier/read-keys.ts'
import { createStage, type Stage } from '../stage.ts'

const silent = createLogger('test', 'silent')
const BOTH = [TOPICS.subjectStates, TOPICS.revocations]

let stage: Stage
beforeAll(async () => {
  // Segments of a second, so that compaction happens while the test looks.
  stage = await createStage({ environment: { EBB_EVENTS_RETENTION_S: '1' } })
})
afterAll(() => stage?.close())

async function keysOf(): Promise<Set<string>> {
  const keys = new Set<string>()
  await readKeys(stage.config, silent, BOTH, (topic, key) => keys.add(`${topic} ${key.toString('hex')}`))
  return keys
}

test('reads topics that hold nothing of anyone', async () => {
  const touch = Buffer.from('touch').toString('hex')
  expect(await keysOf()).toEqual(new Set(BOTH.map((topic) => `${topic} ${touch}`)))
})

test('sees a tombstone as it sees a record, in every partition, until the broker has dropped both', async () => {
  const requestId = randomUUID()
  const handles = Array.from({ length: 30 }, () => randomBytes(32))
  const token = randomBytes(16)
  const states = await createSubjectStatePublisher(stage.config, silent)
  const revocations = await createRevocationPublisher(stage.config, silent)
  try {
    await states.withdraw(requestId, handles)
    await revocations.withdrawAll([token])
  } finally {
    await Promise.all([states.close(), revocations.close()])
  }
  const sought = [
    ...handles.map((handle) => `${TOPICS.subjectStates} ${requestKey(requestId, handle).toString('hex')}`),
    `${TOPICS.revocations} ${token.toString('hex')}`,
  ]
  const found = await keysOf()
  expect(sought.filter((key) => found.has(key))).toHaveLength(31)
  await expect
    .poll(
      async () => {
        const left = await keysOf()
        return sought.filter((key) => left.has(key))
      },
      { timeout: 120_000, interval: 1_000 },
    )
    .toEqual([])
}, 300_000)
