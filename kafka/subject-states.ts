import { z } from 'zod'
import type { Config } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { TOPICS } from '../schemas/event-record.ts'
import { createKafka, createPartitioner, prefixed } from './client.ts'

/** Bytes of a handle: the key of a person's state. */
export const HANDLE_BYTES = 32

/**
 * What collectors must know of a handle; times in milliseconds since 1970.
 * - `blocked`: nothing of this person is taken. `at`: when the block began.
 * - `cutoff`: events up to `at` (by the corrected clock) are not taken; later ones are a new person's. From `until` on the
 *   state says nothing: events of before `at` are too old for anyone by then.
 */
export type SubjectState = { s: 'blocked'; at: number } | { s: 'cutoff'; at: number; until: number }

const State = z.discriminatedUnion('s', [
  z.object({ s: z.literal('blocked'), at: z.number().default(0) }),
  z.object({ s: z.literal('cutoff'), at: z.number(), until: z.number() }),
])

/**
 * A state that a collector concludes from a late link stands under a key of its own, so that it never takes the place of
 * what an erasure says of the same handle.
 */
const LINKED_SUFFIX = Buffer.from('L')

export interface StateKey {
  /** Handle as latin1. */
  handle: string
  /** Concluded from a link, not said by an erasure. */
  linked: boolean
}

/** @returns undefined for a key that is none of ours. */
export function decodeStateKey(key: Buffer | null): StateKey | undefined {
  if (key?.length === HANDLE_BYTES) return { handle: key.toString('latin1'), linked: false }
  const isLinked = key?.length === HANDLE_BYTES + 1 && key.subarray(HANDLE_BYTES).equals(LINKED_SUFFIX)
  return isLinked ? { handle: key.toString('latin1', 0, HANDLE_BYTES), linked: true } : undefined
}

/** A state that this release cannot read blocks: to let somebody's data in by mistake cannot be undone. */
export function decodeState(value: Buffer | null): SubjectState | null {
  if (value === null) return null
  try {
    return State.parse(JSON.parse(value.toString()))
  } catch {
    return { s: 'blocked', at: 0 }
  }
}

export interface SubjectStatePublisher {
  /** Resolves once every in-sync replica has the states; null withdraws all that is known of a handle. */
  publish(handles: readonly Buffer[], state: SubjectState | null): Promise<void>
  /** What a late link says: a cutoff that takes no erasure's place. */
  publishLinked(handles: readonly Buffer[], state: SubjectState & { s: 'cutoff' }): Promise<void>
  close(): Promise<void>
}

const MAX_RECORDS_A_SEND = 500

/** Writes states by handle (32 bytes) to the compacted topic. */
export async function createSubjectStatePublisher(
  config: Config,
  logger: Logger,
): Promise<SubjectStatePublisher> {
  const topic = prefixed(config, TOPICS.subjectStates)
  const producer = createKafka(config, logger, 'ebb-states').producer({
    allowAutoTopicCreation: false,
    createPartitioner,
  })
  await producer.connect()
  const write = async (keys: readonly Buffer[], state: SubjectState | null) => {
    const value = state === null ? null : JSON.stringify(state)
    for (let at = 0; at < keys.length; at += MAX_RECORDS_A_SEND) {
      const messages = keys.slice(at, at + MAX_RECORDS_A_SEND).map((key) => ({ key, value }))
      await producer.send({ topic, acks: -1, messages })
    }
  }
  return {
    publish: (handles, state) => write(state === null ? handles.flatMap(bothKeys) : handles, state),
    publishLinked: (handles, state) => write(handles.map(linkedKey), state),
    close: () => producer.disconnect(),
  }
}

function linkedKey(handle: Buffer): Buffer {
  return Buffer.concat([handle, LINKED_SUFFIX])
}

function bothKeys(handle: Buffer): Buffer[] {
  return [handle, linkedKey(handle)]
}
