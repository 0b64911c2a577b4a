import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestOf } from '../../certificates/read-certificate.ts'
import { parseTrustedKeys } from '../../certificates/trusted-keys.ts'
import { verifyCertificate } from '../../certificates/verify-certificate.ts'
import { createGatewayStage, type GatewayStage } from '../gateway-stage.ts'
import type { Vector } from '../vectors/vector.ts'

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/valid.json', import.meta.url), 'utf8'),
) as Vector[]
const vector = vectors[0]!
const digest = digestOf(Buffer.from(vector.certificate))

let gateway: GatewayStage
let token = ''
let id = ''
beforeAll(async () => {
  gateway = await createGatewayStage()
  token = (await gateway.token({ role: 'app' })).token
  const identifiers = [{ label: 'email', value: 'ada@example.com' }]
  const body = { app: 'shop', identifiers, proof: 'account-session' }
  const made = await gateway.call('POST /v1/privacy/requests', { token, body })
  id = (JSON.parse(made.text) as { requestId: string }).requestId
  await store('0'.repeat(64), 'received', '{}', 1, false)
  await store(digest, 'certificate', vector.certificate, 2, false)
  await store('1'.repeat(64), 'closed', '{}', 3, true)
})
afterAll(() => gateway?.close())

async function store(
  hash: string,
  kind: string,
  file: string,
  index: number,
  superseded: boolean,
): Promise<void> {
  await gateway.postgres.query(
    'store_certificate',
    `INSERT INTO certificates (digest, request_id, kind, file, proof, log_index, issued_at, superseded)
     VALUES ($1, $2, $3, $4, $5, $6, now(), $7)`,
    [hash, id, kind, Buffer.from(file), vector.proof, index, superseded],
  )
}

const read = (query: string) => gateway.call(`GET /v1/privacy/requests/${id}/certificate${query}`, { token })

test('The newest certificate that holds comes byte for byte, with its proof: both verify offline', async () => {
  const file = await read('')
  const proof = await read('?format=proof')
  expect(file.text).toBe(vector.certificate)
  const verdict = verifyCertificate({
    certificate: Buffer.from(file.text),
    proof: Buffer.from(proof.text),
    keys: parseTrustedKeys(vector.keys),
    ...(vector.witnessQuorum !== undefined && { witnessQuorum: vector.witnessQuorum }),
  })
  expect(verdict).toMatchObject({ ok: true })
  expect((await read(`?digest=${digest}`)).text).toBe(vector.certificate)
  expect((await read(`?digest=${'2'.repeat(64)}`)).code).toBe('certificate_unknown')
})

test('The pages are for people: the fingerprint in both, and nothing in HTML that loads or runs', async () => {
  const markdown = await read('?format=md')
  const html = await read('?format=html')
  expect(markdown.headers.get('content-type')).toBe('text/markdown; charset=utf-8')
  expect(html.headers.get('content-type')).toBe('text/html; charset=utf-8')
  for (const page of [markdown, html]) expect(page.text).toContain(digest)
  expect(html.text).not.toMatch(/<script|src=|href=/)
  expect(html.headers.get('content-security-policy')).toContain("default-src 'none'")
})

test('The salt is told while the request is open, and no longer', async () => {
  expect((await read('?format=salt')).text).toMatch(/^[0-9a-f]{64}\n$/)
  await gateway.postgres.query(
    'close',
    `UPDATE privacy_requests SET sealed = NULL, state = 'closed' WHERE request_id = $1`,
    [id],
  )
  expect((await read('?format=salt')).code).toBe('salt_gone')
  expect((await read('')).status).toBe(200)
})

test('The request lists them all, the withdrawn one as withdrawn', async () => {
  const { text } = await gateway.call(`GET /v1/privacy/requests/${id}`, { token })
  const { certificates } = JSON.parse(text) as { certificates: { logIndex: number; superseded: boolean }[] }
  expect(certificates.map((one) => [one.logIndex, one.superseded])).toEqual([
    [1, false],
    [2, false],
    [3, true],
  ])
})
