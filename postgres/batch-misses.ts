import { EbbError } from '../runtime/errors.ts'

export interface BatchOptions {
  /** How long the first of a batch waits for company. */
  windowMs: number
  /** Items in one batch at most. */
  batchSize: number
  /** Batches under way at the same time at most. */
  concurrency: number
  /** Items waiting or under way at most; beyond it a call fails at once, so that a stopped database cannot fill memory. */
  pendingLimit: number
}

/**
 * Gathers single look-ups into batches, one flight per key: who asks for a key under way waits for the same answer.
 * @param run answers a batch, one value or error per item, in its order; a throw fails all of them.
 * @returns a function that asks for one item. @throws EbbError `subjects_unavailable` beyond `pendingLimit`
 */
export function batchMisses<Item, Value>(
  run: (items: Item[]) => Promise<(Value | EbbError)[]>,
  options: BatchOptions,
): (key: string, item: Item) => Promise<Value> {
  interface Flight {
    key: string
    item: Item
    resolve(value: Value): void
    reject(error: unknown): void
  }
  const flights = new Map<string, Promise<Value>>()
  let waiting: Flight[] = []
  let underWay = 0
  let timer: NodeJS.Timeout | undefined

  const launch = () => {
    timer = undefined
    while (waiting.length > 0 && underWay < options.concurrency) {
      const batch = waiting.slice(0, options.batchSize)
      waiting = waiting.slice(options.batchSize)
      underWay += 1
      void fly(batch).finally(() => {
        underWay -= 1
        launch()
      })
    }
  }
  const fly = async (batch: Flight[]) => {
    try {
      const values = await run(batch.map((flight) => flight.item))
      for (const [index, flight] of batch.entries()) {
        const value = values[index]!
        if (value instanceof EbbError) flight.reject(value)
        else flight.resolve(value)
      }
    } catch (error) {
      for (const flight of batch) flight.reject(error)
    } finally {
      for (const flight of batch) flights.delete(flight.key)
    }
  }
  return (key, item) => {
    const inFlight = flights.get(key)
    if (inFlight) return inFlight
    if (flights.size >= options.pendingLimit) {
      return Promise.reject(new EbbError('subjects_unavailable', 'too many subject look-ups are waiting'))
    }
    const flight = new Promise<Value>((resolve, reject) => {
      waiting.push({ key, item, resolve, reject })
    })
    flights.set(key, flight)
    if (waiting.length >= options.batchSize) {
      clearTimeout(timer)
      launch()
    } else if (timer === undefined && underWay < options.concurrency) {
      timer = setTimeout(launch, options.windowMs)
    }
    return flight
  }
}
