import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../postgres/apps.ts'
import { readClosure } from '../../postgres/block-subjects.ts'
import { takeLateLinks } from '../../postgres/late-links.ts'
import { inLanes } from '../../runtime/in-lanes.ts'
import { createEdgeErasure, type EdgeErasure } from '../edge-erasure.ts'
import { readEventRows } from '../read-topic.ts'
import { createStage, type Stage } from '../stage.ts'
import { type RunningCollector, startCollector } from '../start-collector.ts'

const PEOPLE = 100
const BATCHES = 10_000
const DAY_MS = 86_400_000

let stage: Stage
let edge: EdgeErasure
let collector: RunningCollector
let writeKey: string
const agent = new Agent({ keepAlive: true, maxSockets: 24 })

beforeAll(async () => {
  stage = await createStage()
  edge = await createEdgeErasure(stage)
  writeKey = (await createApp(edge.postgres, { app: 'shop' })).writeKey
  collector = await startCollector(stage.environment)
})
afterAll(async () => {
  agent.destroy()
  await collector?.stop()
  await edge?.close()
  await stage?.close()
})

/**
 * Status, headers but the date, and body: all that a client sees. A client comes again when it is told to (503), as anyone
 * is while a busy machine leaves the collector without news of people's states.
 */
async function send(body: object): Promise<string> {
  for (;;) {
    const answer = await post(body)
    if (!answer.startsWith('[503')) return answer
    await sleep(500)
  }
}

function post(body: object): Promise<string> {
  const text = JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const sent = request(
      `${collector.url}/v1/batch`,
      {
        method: 'POST',
        agent,
        headers: { authorization: `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}` },
      },
      (response) => {
        let answer = ''
        response.on('data', (chunk) => (answer += chunk))
        response.on('end', () => {
          const headers = { ...response.headers, date: undefined }
          resolve(JSON.stringify([response.statusCode, headers, answer]))
        })
      },
    )
    sent.on('error', reject)
    sent.end(text)
  })
}

const click = (element: string, more: object) => ({
  type: 'track',
  event: 'button_click',
  properties: { element },
  ...more,
})
/** A batch made at `at` and sent now, by a client whose clock is off by `offMs`. */
const batchOf = (at: number, offMs: number, events: object[]) => ({
  sentAt: new Date(Date.now() + offMs).toISOString(),
  batch: events.map((event) => ({ timestamp: new Date(at + offMs).toISOString(), ...event })),
})
const person = (index: number) => ({
  userId: `person-${index}`,
  phone: `phone-of-${index}`,
  tablet: `tablet-of-${index}`,
})
/** A fixed sequence, so that a failure can be repeated. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return state / 2 ** 32
  }
}

test('10,000 late batches of erased people bring nothing back, lose no genuine return, and are answered like anyone’s', async () => {
  const random = createRandom(7)
  const people = Array.from({ length: PEOPLE }, (_, index) => person(index))
  // 1. They are known by a user id and two devices.
  await inLanes(people, 10, async ({ userId, phone, tablet }) => {
    for (const anonymousId of [phone, tablet])
      await send({ batch: [click('before', { anonymousId }), { type: 'identify', userId, anonymousId }] })
  })
  const oldTokens = new Set(
    (await readEventRows(stage.config)).map((row) => Buffer.from(row.subject).toString('hex')),
  )
  expect(oldTokens.size).toBe(3 * PEOPLE)

  // 2. They are erased; then they may return.
  const requests: string[] = []
  await inLanes(people, 4, async ({ userId }) => {
    requests.push(await edge.block('shop', [{ label: 'userId', value: userId }]))
  })
  for (const requestId of requests) expect((await edge.sealed(requestId)).subjects).toHaveLength(3)
  await edge.settle()
  await inLanes(requests, 4, edge.destroy)
  const before = Date.now()
  await inLanes(requests, 4, edge.lift)
  await edge.settle()

  // 3. Late batches: clocks off by up to 400 days, devices alone, and links that come after what they explain.
  const late = Array.from({ length: BATCHES }, (_, index) => index)
  const unlike: string[] = []
  /** By kind of batch: whatever was answered of the erased, and of others. */
  const answered = { erased: new Set<string>(), others: new Set<string>() }
  await inLanes(late, 24, async (index) => {
    const { userId, phone, tablet } = person(Math.floor(random() * PEOPLE))
    const at = before - 60_000 - random() * 20 * DAY_MS
    const offMs = (random() - 0.5) * 800 * DAY_MS
    const forgotten = `forgotten-${index}`
    const kinds: ((who: { userId: string; phone: string; tablet: string }, id: string) => object[])[] = [
      (who) => [click('late', { userId: who.userId }), { type: 'page', name: 'late', userId: who.userId }],
      (who) => [click('late', { anonymousId: who.phone })],
      (who) => [
        click('late', { anonymousId: who.tablet }),
        click('late', { userId: who.userId, anonymousId: who.phone }),
      ],
      (who, id) => [
        click('late', { anonymousId: id }),
        { type: 'alias', userId: who.userId, previousId: id },
      ],
      (who, id) => [{ type: 'identify', userId: id, anonymousId: who.phone }, click('late', { userId: id })],
    ]
    const kind = kinds[index % kinds.length]!
    const answer = await send(batchOf(at, offMs, kind({ userId, phone, tablet }, forgotten)))
    answered.erased.add(`${index % kinds.length} ${answer}`)
    if (index % 20 < 5) {
      const stranger = { userId: `s-${index}`, phone: `sp-${index}`, tablet: `st-${index}` }
      const events = kind(stranger, `sf-${index}`).map((event) =>
        JSON.parse(JSON.stringify(event).replaceAll('late', 'other')),
      )
      const other = await send(batchOf(at, offMs, events))
      answered.others.add(`${index % kinds.length} ${other}`)
      if (other !== answer) unlike.push(`${answer} / ${other}`)
    }
  })
  expect(unlike).toEqual([])
  // So for each of the 10,000, not only for those that had a twin.
  expect(answered.erased).toEqual(answered.others)
  // Aliases made later: the other id had stored something before anybody knew whose it was.
  const unexplained = Array.from({ length: 200 }, (_, index) => `unexplained-${index}`)
  await inLanes(unexplained, 10, async (anonymousId) => {
    await send(batchOf(before - 60_000, 0, [click('unexplained', { anonymousId })]))
    await send(batchOf(before - 50_000, 0, [{ type: 'alias', userId: 'person-3', previousId: anonymousId }]))
    await send(batchOf(before - 55_000, 0, [click('late', { anonymousId })]))
  })

  // 4. Genuine returns, of all.
  await inLanes(people, 10, async ({ userId, phone }) => {
    await send({ batch: [click('return', { userId }), click('return', { anonymousId: phone })] })
  })

  const rows = await readEventRows(stage.config)
  expect(rows.filter((row) => row.element === 'late' || row.path.includes('late'))).toHaveLength(0)
  const returns = rows.filter((row) => row.element === 'return')
  expect(returns).toHaveLength(2 * PEOPLE)
  expect(new Set(returns.map((row) => Buffer.from(row.subject).toString('hex'))).size).toBe(2 * PEOPLE)
  expect(returns.filter((row) => oldTokens.has(Buffer.from(row.subject).toString('hex')))).toHaveLength(0)
  expect(rows.filter((row) => row.element === 'other').length).toBeGreaterThan(BATCHES / 5)

  // What came before its alias waits for an erasure of its own; all of it is found, and nobody else.
  const taken = await edge.postgres.transaction((within) =>
    takeLateLinks(within, { olderThanMs: 0, max: 10_000 }),
  )
  const closure = await readClosure(edge.postgres, {
    handles: taken.map((one) => one.handle),
    contacts: { hashes: [], until: null },
    subjectIds: [],
  })
  expect(closure).toHaveLength(unexplained.length)
}, 600_000)
