import { randomBytes } from 'node:crypto'
import { admit } from '../gate/admit.ts'
import { readBatch } from '../gate/read-batch.ts'
import { deriveSubjectKeys, type SubjectKeys } from '../gate/subject-keys.ts'
import { tokenise } from '../gate/tokenise.ts'
import { createEventProducer } from '../kafka/event-producer.ts'
import type { Config } from '../runtime/config.ts'
import { createLogger } from '../runtime/logger.ts'
import type { EventRecord } from '../schemas/event-record.ts'
import { loadRegistry } from '../schemas/registry.ts'
import { createLoadBatches } from './load-batches.ts'

/** Records handed to the producer at a time; the next go out when these are acknowledged. */
const RECORDS_PER_SEND = 500

/**
 * Fills `events` with the records that the load generator's batches become in the gate, without HTTP and Postgres: the
 * subjects' secrets are made up here. @returns the number of events on the topic
 */
export async function fillTopic(
  config: Config,
  options: { events: number; people: number; app: string; onProgress(events: number): void },
): Promise<number> {
  const producer = await createEventProducer(config, createLogger('fill', 'warn'))
  const batches = createLoadBatches(options.people, 64)
  const subjects = new Map<string, SubjectKeys>()
  const registry = loadRegistry()
  const lookupKey = randomBytes(32)
  const keysOf = (handle: Buffer): SubjectKeys => {
    const name = handle.toString('latin1')
    let keys = subjects.get(name)
    if (!keys) {
      keys = deriveSubjectKeys(randomBytes(32))
      subjects.set(name, keys)
    }
    return keys
  }
  const recordsOf = (): EventRecord[] => {
    const now = Date.now()
    const body = batches.next(now)
    const read = readBatch(JSON.parse(body.toString()), body, 'batch')
    if (!read.ok) throw new Error(`the load generator made a bad batch: ${read.code}`)
    const admitted = admit(read.batch, { app: { app: options.app }, lookupKey, registry, now, nonce: '' })
    return admitted.persons.map((person) => tokenise(person, keysOf(person.handle), admitted.stamp))
  }
  let filled = 0
  try {
    while (filled < options.events) {
      const records: EventRecord[] = []
      while (records.length < RECORDS_PER_SEND && filled < options.events) {
        for (const record of recordsOf()) {
          records.push(record)
          filled += record.count
        }
      }
      await producer.send(records)
      options.onProgress(filled)
    }
  } finally {
    await producer.close()
  }
  return filled
}
