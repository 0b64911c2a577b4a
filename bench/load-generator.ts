import { connect, type Socket } from 'node:net'
import { parseArgs } from 'node:util'
import { createLoadBatches } from './load-batches.ts'

/**
 * A load generator in a process of its own: real sockets, HTTP/1.1 keep-alive, one request at a time on each.
 * Open loop: requests are due by the clock, whether or not earlier ones were answered, and latency counts from when a
 * request was due, so that a stalled collector cannot hide its stall.
 *
 * Usage: node services/bootstrap.mjs bench/load-generator.ts --url U --write-key K --rate EVENTS_PER_S --seconds N
 *        [--people 50000] [--connections 256]
 * Prints one line of JSON: `sentEvents, acceptedEvents, rejectedEvents, refusedRequests, unsentRequests, offeredPerS, answerP50Ms, answerP99Ms, cpuS`.
 */
const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    'write-key': { type: 'string' },
    rate: { type: 'string' },
    seconds: { type: 'string' },
    people: { type: 'string', default: '50000' },
    connections: { type: 'string', default: '256' },
  },
})
if (!values.url || !values['write-key'] || !values.rate || !values.seconds) {
  throw new Error('--url, --write-key, --rate and --seconds are needed')
}
const target = new URL(values.url)
/** Fewer would answer the rate: 64 that wait for the collector's next send, 25 ms and a trip to Kafka, carry 43,000 events/s, whatever the machine can do. */
const connectionCount = Number(values.connections)
const batches = createLoadBatches(Number(values.people), connectionCount * 2)
const requestsPerMs = Number(values.rate) / batches.eventsPerBatch / 1000
const seconds = Number(values.seconds)
/** Requests that are due but wait for a free connection; beyond it the generator counts them as never sent. */
const MAX_WAITING = 20_000

const head = (length: number) =>
  `POST /v1/batch HTTP/1.1\r\nHost: ${target.host}\r\nContent-Type: application/json\r\nAuthorization: Basic ${Buffer.from(`${values['write-key']}:`).toString('base64')}\r\nContent-Length: ${length}\r\n\r\n`

const figures = { sent: 0, accepted: 0, rejected: 0, refused: 0, overflow: 0 }
const answerMs: number[] = []
const idle: Socket[] = []
const waiting: number[] = []

function send(socket: Socket, dueAt: number): void {
  const body = batches.next(Date.now())
  dueTimes.set(socket, dueAt)
  socket.cork()
  socket.write(head(body.length), 'latin1')
  socket.write(body)
  socket.uncork()
  figures.sent += batches.eventsPerBatch
}

const dueTimes = new WeakMap<Socket, number>()

/** Reads one whole answer; the collector's answers are small and carry a content length. */
function onAnswer(socket: Socket, text: string): void {
  const accepted = /"accepted":(\d+)/.exec(text)
  if (text.startsWith('HTTP/1.1 200') && accepted) {
    const count = Number(accepted[1])
    figures.accepted += count
    figures.rejected += batches.eventsPerBatch - count
  } else {
    figures.refused++
  }
  answerMs.push(performance.now() - dueTimes.get(socket)!)
  dueTimes.delete(socket)
  const next = waiting.shift()
  if (next === undefined) idle.push(socket)
  else send(socket, next)
}

async function open(): Promise<Socket> {
  const socket = connect({ host: target.hostname, port: Number(target.port), noDelay: true })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  let received = ''
  socket.on('data', (chunk) => {
    if (!dueTimes.has(socket)) return drop(socket, chunk)
    received += chunk.toString('latin1')
    const bodyAt = received.indexOf('\r\n\r\n')
    if (bodyAt < 0) return
    const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0)
    if (received.length < bodyAt + 4 + length) return
    const answer = received
    received = ''
    onAnswer(socket, answer)
  })
  socket.on('error', () => figures.refused++)
  return socket
}

/** At a low rate some connections are never used, and the server hangs up on those (408): no answer to anything. All else is one. */
function drop(socket: Socket, unasked: Buffer): void {
  if (!unasked.toString('latin1').startsWith('HTTP/1.1 408')) figures.refused++
  socket.destroy()
  sockets.splice(sockets.indexOf(socket), 1)
  idle.splice(idle.indexOf(socket), 1)
}

const percentile = (sorted: number[], p: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? 0

const sockets = await Promise.all(Array.from({ length: connectionCount }, open))
idle.push(...sockets)
const startedAt = performance.now()
let due = 0
await new Promise<void>((resolve) => {
  const timer = setInterval(() => {
    const elapsed = performance.now() - startedAt
    if (elapsed >= seconds * 1000) {
      clearInterval(timer)
      resolve()
      return
    }
    for (const target = Math.floor(elapsed * requestsPerMs); due < target; due++) {
      const dueAt = startedAt + due / requestsPerMs
      const socket = idle.shift()
      if (socket) send(socket, dueAt)
      else if (waiting.length < MAX_WAITING) waiting.push(dueAt)
      else figures.overflow++
    }
  }, 2)
})
const offeredMs = performance.now() - startedAt
waiting.length = 0
for (const deadline = Date.now() + 10_000; idle.length < sockets.length && Date.now() < deadline; ) {
  await new Promise((resolve) => setTimeout(resolve, 20))
}
for (const socket of sockets) socket.destroy()
answerMs.sort((a, b) => a - b)
console.log(
  JSON.stringify({
    sentEvents: figures.sent,
    acceptedEvents: figures.accepted,
    rejectedEvents: figures.rejected,
    refusedRequests: figures.refused,
    unsentRequests: figures.overflow,
    offeredPerS: Math.round((due * batches.eventsPerBatch * 1000) / offeredMs),
    bytesPerEvent: batches.bytesPerEvent,
    answerP50Ms: Math.round(percentile(answerMs, 0.5)),
    answerP99Ms: Math.round(percentile(answerMs, 0.99)),
    cpuS: (process.cpuUsage().user + process.cpuUsage().system) / 1e6,
  }),
)
