import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { postBatch, postBatches } from './post-batches.ts'

/** Status, headers and text, one a request; after the last, batches are taken. */
type Turn = [status: number, headers?: Record<string, string>, text?: string]

const TAKEN = JSON.stringify({ accepted: 1, rejected: [] })
let server: Server
let bodies: string[]

/** A collector that first answers as told. @returns its URL */
async function answering(turns: Turn[]): Promise<string> {
  bodies = []
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      const [status, headers = {}, text] = turns[bodies.push(body) - 1] ?? [200]
      const usual = status === 200 ? TAKEN : '{"error":{"code":"as_told"}}'
      response.writeHead(status, headers).end(text ?? usual)
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

afterEach(() => server.close())

const batches = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ app: 'shop', body: { batch: [{ messageId: `${at}` }] } }))

it.each([408, 429, 500, 503])('sends the same batch again after a %d', async (status) => {
  const url = await answering([[status]])
  expect(await postBatch(url, 'key', { batch: [{ messageId: 'm' }] })).toEqual(JSON.parse(TAKEN))
  expect(bodies).toEqual(Array(2).fill('{"batch":[{"messageId":"m"}]}'))
})

it('waits for as long as the collector asks', async () => {
  const url = await answering([[503, { 'retry-after': '1' }]])
  const startedAt = Date.now()
  await postBatch(url, 'key', { batch: [] })
  expect(Date.now() - startedAt).toBeGreaterThan(950)
})

it('ends at a refusal, says with which code, and how far it had come', async () => {
  const url = await answering([[200], [200], [401]])
  const posting = postBatches(batches(9), { url, writeKeys: { shop: 'key' }, concurrency: 1 })
  await expect(posting).rejects.toMatchObject({
    code: 'collector_refused',
    message: expect.stringMatching(/401 .*as_told.*; accepted 2 of the 3 events that were sent$/),
  })
  expect(bodies).toHaveLength(3)
})

it('begins nothing after a failure, however many were waiting for their turn', async () => {
  const url = await answering([[401]])
  const startedAt = Date.now()
  const options = { url, writeKeys: { shop: 'key' }, concurrency: 4, rate: 4 }
  await expect(postBatches(batches(9), options)).rejects.toThrow('accepted 0 of the 1 events that were sent')
  expect(bodies).toHaveLength(1)
  expect(Date.now() - startedAt).toBeLessThan(900)
})

it.each(['null', '{}', '<html>'])('does not take %s for an answer', async (text) => {
  const url = await answering([[200, {}, text]])
  await expect(postBatch(url, 'key', { batch: [] })).rejects.toMatchObject({ code: 'collector_refused' })
})

it('does not try a batch again that failed beside the one that ends it all', async () => {
  const url = await answering([[503, { 'retry-after': '9' }], [401]])
  const startedAt = Date.now()
  const posting = postBatches(batches(2), { url, writeKeys: { shop: 'key' }, concurrency: 2 })
  await expect(posting).rejects.toMatchObject({ code: 'collector_refused' })
  expect(Date.now() - startedAt).toBeLessThan(5_000)
  expect(bodies).toHaveLength(2)
})
