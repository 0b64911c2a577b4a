import { setTimeout as sleep } from 'node:timers/promises'

/** Events of one batch; small, so that a fault meets many batches at different points. */
export const EVENTS_PER_BATCH = 10

/** 408: the body did not arrive in time, since the collector was paused meanwhile. 429: it is full. */
const COME_AGAIN: ReadonlySet<number> = new Set([408, 429])

/**
 * Clients that never give up: a batch is sent again, with the same ids and the same bytes, until it is acknowledged.
 * Every event carries a product id of its own, by which the drill finds it again.
 */
export interface DrillClients {
  /** Batches acknowledged so far, by number. */
  acked: Set<number>
  /** Answers that were no acknowledgement: the retries that a fault caused. */
  retries(): number
  /** Waits for every batch on its way to be acknowledged. @returns numbers of batches that never were */
  stop(): Promise<number[]>
}

export const productOf = (batch: number, index: number): string => `d${batch}-${index}`

function bodyOf(batch: number, people: number): string {
  const person = `drill-${batch % people}`
  const events = Array.from({ length: EVENTS_PER_BATCH }, (_, index) => ({
    type: 'track',
    event: ['add_to_cart', 'button_click', 'purchase'][index % 3],
    messageId: `m-${batch}-${index}`,
    anonymousId: person,
    timestamp: new Date().toISOString(),
    context: { sessionId: `s-${batch % (people * 3)}` },
    properties: {
      product_id: productOf(batch, index),
      ...(index % 3 === 1 && { element: `button-${index}` }),
      ...(index % 3 === 2 && { revenue: 1.25, currency: 'EUR', order_id: `o-${batch}-${index}` }),
    },
  }))
  return JSON.stringify({ batch: events, sentAt: new Date().toISOString() })
}

/** @param rate batches a second over all clients. */
export function startDrillClients(options: {
  url: string
  writeKey: string
  rate: number
  people: number
  clients: number
}): DrillClients {
  const { url, writeKey, rate, people } = options
  const acked = new Set<number>()
  const authorization = `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}`
  const startedAt = performance.now()
  let started = 0
  let retries = 0
  let stopping = false
  let stopBy = Number.POSITIVE_INFINITY

  async function post(body: string): Promise<boolean> {
    try {
      const response = await fetch(`${url}/v1/batch`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization },
        body,
        // Shorter than many faults last: a client that gives up and comes again is what makes duplicates.
        signal: AbortSignal.timeout(4_000),
      })
      const answer = (await response.json()) as { accepted?: number }
      if (response.status >= 400 && response.status < 500 && !COME_AGAIN.has(response.status)) {
        throw new Error(`the collector refused a good batch: ${response.status} ${JSON.stringify(answer)}`)
      }
      return response.status === 200 && answer.accepted === EVENTS_PER_BATCH
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('the collector refused')) throw error
      return false
    }
  }

  async function client(): Promise<void> {
    while (!stopping) {
      const batch = started++
      const due = startedAt + (batch * 1000) / rate
      await sleep(Math.max(0, due - performance.now()))
      const body = bodyOf(batch, people)
      while (!(await post(body))) {
        retries++
        if (Date.now() > stopBy) return
        await sleep(100 + Math.random() * 400)
      }
      acked.add(batch)
    }
  }

  const running = Array.from({ length: options.clients }, client)
  return {
    acked,
    retries: () => retries,
    async stop() {
      stopping = true
      stopBy = Date.now() + 60_000
      await Promise.all(running)
      return Array.from({ length: started }, (_, batch) => batch).filter((batch) => !acked.has(batch))
    },
  }
}
