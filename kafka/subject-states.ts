import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Config } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { TOPICS } from '../schemas/event-record.ts'
import { createKafka, createPartitioner, prefixed } from './client.ts'

/** Bytes of a handle, with which the key of a state begins. */
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
 * Behind the handle, a key names who says it, so that nobody takes the place of another: several requests may have the
 * same person, each blocks, lifts and closes for itself. `L` is what collectors conclude from late links.
 */
const LINK_SOURCE = Buffer.from('L')
const REQUEST_SOURCE_BYTES = 8

export interface StateKey {
  /** Handle as latin1. */
  handle: string
  /** Who says it, as latin1. */
  source: string
}

/** Source of the states that collectors conclude from late links. */
export const FROM_LINKS = LINK_SOURCE.toString('latin1')

/** @returns undefined for a key that is none of ours. */
export function decodeStateKey(key: Buffer | null): StateKey | undefined {
  const sourceBytes = (key?.length ?? 0) - HANDLE_BYTES
  if (!key || (sourceBytes !== LINK_SOURCE.length && sourceBytes !== REQUEST_SOURCE_BYTES)) return undefined
  return { handle: key.toString('latin1', 0, HANDLE_BYTES), source: key.toString('latin1', HANDLE_BYTES) }
}

/** The key under which a request speaks of a handle; the request's id cannot be read off it. */
export function requestKey(requestId: string, handle: Buffer): Buffer {
  const source = createHash('sha256').update(requestId.toLowerCase()).update(handle).digest()
  return Buffer.concat([handle, source.subarray(0, REQUEST_SOURCE_BYTES)])
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

/** Each resolves once every in-sync replica has it. Handles have 32 bytes. */
export interface SubjectStatePublisher {
  /** What a request says of these handles, in the place of what it said before. */
  publish(requestId: string, handles: readonly Buffer[], state: SubjectState): Promise<void>
  /** The request says nothing of these handles any more. */
  withdraw(requestId: string, handles: readonly Buffer[]): Promise<void>
  /** What a late link says. */
  publishLinked(handles: readonly Buffer[], state: SubjectState & { s: 'cutoff' }): Promise<void>
  /** No link says anything any more: an erasure of these handles' own has closed. */
  withdrawLinked(handles: readonly Buffer[]): Promise<void>
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
    publish: (requestId, handles, state) =>
      write(
        handles.map((one) => requestKey(requestId, one)),
        state,
      ),
    withdraw: (requestId, handles) =>
      write(
        handles.map((one) => requestKey(requestId, one)),
        null,
      ),
    publishLinked: (handles, state) => write(handles.map(linkKey), state),
    withdrawLinked: (handles) => write(handles.map(linkKey), null),
    close: () => producer.disconnect(),
  }
}

function linkKey(handle: Buffer): Buffer {
  return Buffer.concat([handle, LINK_SOURCE])
}
