import type { Config } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { TOPICS } from '../schemas/event-record.ts'
import { createKafka, createPartitioner, prefixed } from './client.ts'

/** Bytes of a subject token: a record's key of this length revokes, and with no value gives the token back. */
export const TOKEN_BYTES = 16

/** Key of the control record that holds ingest, see ingest-hold.ts. */
export const HOLD_KEY = Buffer.from('hold')

/** @returns until when ingest is held, milliseconds since 1970; 0 for not at all, and for what nobody can read. */
export function decodeHold(value: Buffer | null): number {
  try {
    const { until } = JSON.parse(String(value)) as { until?: unknown }
    return Number.isSafeInteger(until) ? (until as number) : 0
  } catch {
    return 0
  }
}

const MAX_RECORDS_A_SEND = 500

export interface RevocationPublisher {
  /**
   * @param token subject token, 16 bytes. @param at milliseconds since 1970
   * @returns the revocation's offset: ingest has applied it in every partition whose committed `rev` is greater.
   */
  publish(token: Buffer, at: number): Promise<bigint>
  /** Many at once. @returns the offset of the last; -1n for none. */
  publishAll(tokens: readonly Buffer[], at: number): Promise<bigint>
  /** Tokens whose erasure was cancelled: they may be stored again from here on. */
  withdrawAll(tokens: readonly Buffer[]): Promise<void>
  /** Holds ingest until a moment (milliseconds since 1970), or lets it go on (0). @returns the record's offset. */
  hold(until: number): Promise<bigint>
  close(): Promise<void>
}

/** Says to every ingest member that no record of this token may be stored from now on. */
export async function createRevocationPublisher(
  config: Config,
  logger: Logger,
): Promise<RevocationPublisher> {
  const topic = prefixed(config, TOPICS.revocations)
  const producer = createKafka(config, logger, 'ebb-revocations').producer({
    allowAutoTopicCreation: false,
    createPartitioner,
  })
  await producer.connect()
  const write = async (messages: { key: Buffer; value: string | null }[]): Promise<bigint> => {
    let last = -1n
    for (let at = 0; at < messages.length; at += MAX_RECORDS_A_SEND) {
      const part = messages.slice(at, at + MAX_RECORDS_A_SEND).map((one) => ({ ...one, partition: 0 }))
      const [written] = await producer.send({ topic, acks: -1, messages: part })
      last = BigInt(written!.baseOffset!) + BigInt(part.length - 1)
    }
    return last
  }
  const publishAll = (tokens: readonly Buffer[], at: number) =>
    write(tokens.map((key) => ({ key, value: JSON.stringify({ at }) })))
  return {
    publish: (token, at) => publishAll([token], at),
    publishAll,
    withdrawAll: async (tokens) => void (await write(tokens.map((key) => ({ key, value: null })))),
    hold: (until) => write([{ key: HOLD_KEY, value: JSON.stringify({ until }) }]),
    close: () => producer.disconnect(),
  }
}

/** One revocation, for callers that publish rarely. @returns its offset, see {@link RevocationPublisher.publish} */
export async function publishRevocation(
  config: Config,
  logger: Logger,
  token: Buffer,
  at: number,
): Promise<bigint> {
  const publisher = await createRevocationPublisher(config, logger)
  try {
    return await publisher.publish(token, at)
  } finally {
    await publisher.close()
  }
}
