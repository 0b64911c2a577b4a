import { setTimeout as sleep } from 'node:timers/promises'
import { readIngestProgress } from '../../kafka/read-ingest-progress.ts'
import type { Config } from '../../runtime/config.ts'
import { createLogger } from '../../runtime/logger.ts'

const AT_ONCE = 8
const TRIES = 600

/** Posts each batch until it is acknowledged. @throws Error on a refusal: the drill sends nothing that is wrong */
export async function sendBatches(
  url: string,
  writeKey: string,
  batches: AsyncIterable<object> | Iterable<object>,
): Promise<number> {
  const authorization = `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}`
  const headers = { 'content-type': 'application/json', authorization }
  let sent = 0
  const post = async (batch: object) => {
    const body = JSON.stringify({ ...batch, sentAt: new Date().toISOString() })
    for (let tries = 0; tries < TRIES; tries++) {
      const response = await fetch(`${url}/v1/batch`, { method: 'POST', headers, body }).catch(
        () => undefined,
      )
      if (response?.ok) {
        sent++
        return
      }
      if (response && response.status < 500 && response.status !== 429) {
        throw new Error(`the collector refused a good batch: ${response.status} ${await response.text()}`)
      }
      await sleep(200)
    }
    throw new Error('the collector took no batch for a while')
  }
  const running = new Set<Promise<void>>()
  for await (const batch of batches) {
    const one = post(batch).finally(() => running.delete(one))
    running.add(one)
    if (running.size >= AT_ONCE) await Promise.race(running)
  }
  await Promise.all(running)
  return sent
}

/** Waits until ingest has acknowledged everything that the broker holds. */
export async function waitForIngest(config: Config, timeoutMs = 300_000): Promise<void> {
  const logger = createLogger('drill', 'error')
  for (const deadline = Date.now() + timeoutMs; ; await sleep(500)) {
    const progress = await readIngestProgress(config, logger)
    if (progress.every(({ committed, high }) => committed >= high)) return
    if (Date.now() > deadline) throw new Error(`ingest did not catch up within ${timeoutMs / 1_000} s`)
  }
}
