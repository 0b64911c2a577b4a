import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { EbbError } from '../runtime/errors.ts'

export type TopicIdentityErrorCode = 'topic_identity_unreadable'

export interface TopicIdentity {
  clusterId: string
  /** UUID that Kafka gives a topic when it is made, in hex; a topic deleted and made anew has another one. */
  topicId: string
  /** 24 bits out of both, in hex: tells apart offsets of different topics and clusters with the same name. */
  epoch: string
}

const METADATA_API = 3
/** First with topic ids and in the flexible encoding of Kafka 3 and 4; kafkajs stops at version 6. */
const METADATA_VERSION = 12
const TIMEOUT_MS = 5_000

/**
 * Asks the brokers, in turn, who the cluster and the topic are.
 * @throws EbbError `topic_identity_unreadable`
 */
export async function readTopicIdentity(brokers: string[], topic: string): Promise<TopicIdentity> {
  let cause: unknown
  for (const broker of brokers) {
    try {
      const { clusterId, topicId } = decodeMetadata(await exchange(broker, encodeRequest(topic)), topic)
      const epoch = createHash('sha256').update(`${clusterId}/${topicId}`).digest('hex').slice(0, 6)
      return { clusterId, topicId, epoch }
    } catch (error) {
      cause = error
    }
  }
  throw new EbbError('topic_identity_unreadable', `no broker told the identity of topic ${topic}`, { cause })
}

/** Request header v2 and the body of Metadata v12: one topic by name, no auto-creation. */
function encodeRequest(topic: string): Buffer {
  const name = Buffer.from(topic)
  const client = Buffer.from('ebb')
  const header = Buffer.alloc(10)
  header.writeInt16BE(METADATA_API, 0)
  header.writeInt16BE(METADATA_VERSION, 2)
  header.writeInt32BE(1, 4)
  header.writeInt16BE(client.length, 8)
  const body = Buffer.concat([
    header,
    client,
    Buffer.from([0]), // no tagged fields in the header
    Buffer.from([2]), // array of one topic
    Buffer.alloc(16), // topic id: none, look up by name
    encodeLength(name.length + 1),
    name,
    Buffer.from([0, 0, 0, 0]), // no tags; no auto-creation; no authorised operations; no tags
  ])
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  return Buffer.concat([size, body])
}

function encodeLength(value: number): Buffer {
  return value < 128 ? Buffer.from([value]) : Buffer.from([(value & 127) | 128, value >>> 7])
}

function exchange(broker: string, request: Buffer): Promise<Buffer> {
  const at = broker.lastIndexOf(':')
  const socket = connect({ host: broker.slice(0, at), port: Number(broker.slice(at + 1)) })
  return new Promise<Buffer>((resolve, reject) => {
    let received = Buffer.alloc(0)
    socket.setTimeout(TIMEOUT_MS, () => reject(new Error('no answer')))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('connection closed')))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length >= 4 && received.length >= 4 + received.readInt32BE(0))
        resolve(received.subarray(4, 4 + received.readInt32BE(0)))
    })
    socket.write(request)
  }).finally(() => socket.destroy())
}

/** @param response response header v1 and Metadata v12. @throws Error when the topic is not there */
export function decodeMetadata(response: Buffer, topic: string): { clusterId: string; topicId: string } {
  let at = 4 // correlation id
  const readLength = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = response.readUInt8(at++)
      value |= (byte & 127) << shift
      if (byte < 128) return value - 1
    }
  }
  const readText = () => {
    const length = readLength()
    if (length < 0) return ''
    at += length
    return response.toString('utf8', at - length, at)
  }
  const skipTags = () => {
    if (readLength() >= 0) throw new Error('tagged fields in a metadata answer')
  }
  skipTags()
  at += 4 // throttle time
  for (let brokers = readLength(); brokers > 0; brokers--) {
    at += 4 // node id
    readText() // host
    at += 4 // port
    readText() // rack
    skipTags()
  }
  const clusterId = readText()
  at += 4 // controller
  if (readLength() < 1) throw new Error('no topic in the metadata answer')
  const error = response.readInt16BE(at)
  at += 2
  const name = readText()
  if (error !== 0 || name !== topic) throw new Error(`topic: Kafka error ${error}`)
  return { clusterId, topicId: response.toString('hex', at, at + 16) }
}
