import { EbbError } from '../runtime/errors.ts'
import type { EventMessage } from './encode-event-record.ts'

/** kafkajs groups the messages of a send in quadratic time: more, smaller sends are cheaper. */
const MAX_RECORDS_A_SEND = 300
/** A send makes one record batch a partition, which must stay below the topic's `max.message.bytes`. */
const MAX_BYTES_A_SEND = 2 * 1024 * 1024
const MAX_SENDS_IN_FLIGHT = 5
/**
 * From one send to the next that is not full. A produce request costs both sides the same, be it small or large: without this pause a
 * load of 15,000 events/s cost the broker more CPU than one of 45,000.
 */
const LINGER_MS = 25

export interface SendQueue {
  /** @param expiresAt by performance.now(): what has not left by then fails, and never leaves. */
  send(messages: EventMessage[], expiresAt?: number): Promise<void>
  pendingBytes(): number
  close(): Promise<void>
}

interface Waiting {
  message: EventMessage
  bytes: number
  expiresAt: number
  settle(error?: unknown): void
}

/**
 * Gathers the messages of many callers into few sends. A send starts at the end of the current turn of the event loop
 * when none has started for `LINGER_MS`; otherwise it waits for that, or until it is full.
 */
export function createSendQueue(deps: {
  /** @param expiresAt of the first that expires. */
  transmit(messages: EventMessage[], expiresAt: number): Promise<void>
  maxPendingBytes: number
}): SendQueue {
  const waiting: Waiting[] = []
  let waitingBytes = 0
  let pending = 0
  let inFlight = 0
  let closed = false
  let soon = false
  let lastFlush = Number.NEGATIVE_INFINITY
  let linger: NodeJS.Timeout | undefined
  let whenIdle: (() => void) | undefined

  const takeOne = (): Waiting[] => {
    let bytes = 0
    let count = 0
    while (count < waiting.length && count < MAX_RECORDS_A_SEND) {
      bytes += waiting[count]!.bytes
      if (count > 0 && bytes > MAX_BYTES_A_SEND) break
      count++
    }
    return waiting.splice(0, count)
  }

  const transmit = async (taken: Waiting[]) => {
    inFlight++
    // A process that stood still wakes here with records of long ago: the last look before they leave.
    const now = performance.now()
    const timely = taken.every((one) => one.expiresAt >= now)
      ? taken
      : taken.filter((one) => one.expiresAt >= now)
    let failure: unknown
    try {
      if (timely.length > 0) {
        const expiresAt = timely.reduce(
          (first, one) => Math.min(first, one.expiresAt),
          Number.POSITIVE_INFINITY,
        )
        await deps.transmit(
          timely.map(({ message }) => message),
          expiresAt,
        )
      }
    } catch (error) {
      failure = error
    }
    inFlight--
    for (const one of taken) {
      pending -= one.bytes
      one.settle(one.expiresAt < now ? new EbbError('produce_expired', 'waited too long for Kafka') : failure)
    }
    if (closed || isFull() || linger === undefined) flush()
    if (pending === 0) whenIdle?.()
  }

  /** Starts as many sends as are allowed; all that waits goes, full or not. */
  const flush = () => {
    clearTimeout(linger)
    linger = undefined
    if (waiting.length > 0) lastFlush = performance.now()
    while (waiting.length > 0 && inFlight < MAX_SENDS_IN_FLIGHT) {
      const taken = takeOne()
      for (const one of taken) waitingBytes -= one.bytes
      void transmit(taken)
    }
  }

  const isFull = () => waiting.length >= MAX_RECORDS_A_SEND || waitingBytes >= MAX_BYTES_A_SEND

  const schedule = () => {
    const rest = lastFlush + LINGER_MS - performance.now()
    if (isFull()) {
      flush()
    } else if (rest <= 0) {
      if (soon) return
      soon = true
      setImmediate(() => {
        soon = false
        flush()
      })
    } else {
      linger ??= setTimeout(flush, rest)
    }
  }

  return {
    send(messages, expiresAt = Number.POSITIVE_INFINITY) {
      if (closed) return Promise.reject(new EbbError('producer_closed', 'the producer is closed'))
      if (messages.length === 0) return Promise.resolve()
      const bytes = messages.map(sizeOf)
      const total = bytes.reduce((sum, size) => sum + size, 0)
      if (pending + total > deps.maxPendingBytes)
        return Promise.reject(new EbbError('producer_full', 'too many bytes wait for Kafka'))
      pending += total
      waitingBytes += total
      return new Promise((resolve, reject) => {
        let left = messages.length
        let failure: unknown
        const settle = (error?: unknown) => {
          failure ??= error
          if (--left > 0) return
          if (failure === undefined) resolve()
          else reject(failure)
        }
        messages.forEach((message, index) => {
          waiting.push({ message, bytes: bytes[index]!, expiresAt, settle })
        })
        schedule()
      })
    },
    pendingBytes: () => pending,
    async close() {
      closed = true
      flush()
      if (pending > 0) await new Promise<void>((resolve) => (whenIdle = resolve))
    },
  }
}

/** Headers and framing of a record take about 100 bytes. */
function sizeOf(message: EventMessage): number {
  return message.value.length + 100
}
