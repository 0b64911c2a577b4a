import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { generateVectors } from '../tests/vectors/generate.ts'
import {
  certificateBody,
  certificateSigner,
  closedBody,
  createManyCertificates,
  createSampleRequest,
  inputFor,
  logSigner,
  SUBJECT,
  strangerWitness,
  trustedKeys,
} from '../tests/vectors/sample-log.ts'
import { readVector, type Vector } from '../tests/vectors/vector.ts'
import { flipBits } from './flip-bits.ts'
import { signCertificate } from './sign-certificate.ts'
import { cosignatureLine } from './sign-checkpoint.ts'
import { verifyCertificate } from './verify-certificate.ts'

const readText = (name: string) => readFileSync(new URL(`../tests/vectors/${name}`, import.meta.url), 'utf8')
const readVectors = (name: string) => JSON.parse(readText(name)) as Vector[]

const { log, first, firstIndex, closed, closedIndex } = createSampleRequest()
const input = inputFor(closed, log.proof(closedIndex), { leaves: log.entries, subject: { ...SUBJECT } })

describe('the vectors', () => {
  test.each(readVectors('valid.json').map((vector) => [vector.name, vector] as const))(
    '%s: valid',
    (_, vector) => {
      const { ok, checks } = verifyCertificate(readVector(vector))
      expect({ ok, last: checks.at(-1) }).toMatchObject({ ok: true, last: { name: 'subject' } })
    },
  )

  test.each(readVectors('invalid.json').map((vector) => [vector.name, vector] as const))(
    '%s: refused',
    (_, vector) => {
      const { ok, code, checks, asOf, certificate } = verifyCertificate(readVector(vector))
      expect({ ok, code, asOf, certificate }).toEqual({ ok: false, code: vector.expect })
      expect(checks.at(-1)).toMatchObject({ ok: false, code: vector.expect })
      expect(checks.slice(0, -1).every((check) => check.ok)).toBe(true)
    },
  )

  test('are generated again as the same bytes', () => {
    for (const [name, text] of Object.entries(generateVectors()))
      expect(readText(name) === text, name).toBe(true)
  })
})

describe('a verdict', () => {
  test('says as of which head it speaks, who dated it and who cosigned it', () => {
    expect(verifyCertificate(input)).toMatchObject({
      ok: true,
      asOf: { size: log.tree.size(), time: '2026-12-11T09:00:01Z', datedBy: 'witness.example' },
      cosignedBy: ['witness.example'],
    })
  })

  test('says openly what it could not check', () => {
    const { checks } = verifyCertificate(inputFor(first, log.proof(firstIndex)))
    const unchecked = checks.filter(({ reason }) => reason?.startsWith('not checked')).map(({ name }) => name)
    expect(unchecked).toEqual(['freshness', 'supersession', 'key-retirement', 'subject'])
  })

  test('counts no cosignature of a stranger, and is not spoilt by one', () => {
    const proof = log.proof(firstIndex).toString()
    const text = proof.split('\n\n')[1]!
    const line = cosignatureLine(`${text}\n`, strangerWitness, 1_800_000_000)
    const { ok, cosignedBy } = verifyCertificate(
      inputFor(first, Buffer.from(`${proof}${line}\n— x AAAAAAA=\n`)),
    )
    expect({ ok, cosignedBy }).toEqual({ ok: true, cosignedBy: ['witness.example'] })
  })

  test('comes within 50 ms', () => {
    verifyCertificate(input)
    const started = performance.now()
    for (let round = 0; round < 20; round++) verifyCertificate(input)
    expect((performance.now() - started) / 20).toBeLessThan(50)
  })
})

describe('single-bit flips', () => {
  // Of each one other bits, of each place in a byte; EVERY_BIT=1 takes all bits of all of them, which are two millions.
  const everyBit = process.env.EVERY_BIT === '1'
  test(
    'of 100 certificates and their proofs are refused',
    () => {
      const all = createManyCertificates(100)
      const counts = all.map((one, i) => flipBits(one, everyBit ? {} : { stride: 101, first: i }))
      const flips = counts.reduce((sum, one) => sum + one.flips, 0)
      const accepted = counts.reduce((sum, one) => sum + one.accepted, 0)
      if (everyBit) console.log(JSON.stringify({ certificates: all.length, flips, accepted }))
      expect(flips).toBeGreaterThan(everyBit ? 1_900_000 : 19_000)
      expect(accepted).toBe(0)
    },
    everyBit ? 3_600_000 : 120_000,
  )

  test('in the line of a witness whose key is not given are not seen: the specification has it ignored', () => {
    const keys = { ...trustedKeys, witnesses: [] }
    const { accepted } = flipBits({ ...inputFor(first, log.proof(firstIndex)), keys }, { stride: 37 })
    expect(accepted).toBeGreaterThan(0)
  })
})

describe('the signer', () => {
  test('signs nothing that a verifier would refuse', () => {
    const body = certificateBody()
    const unreachable = { outcome: 'unreachable', store: 'processor/ads', since: body.issuedAt } as const
    const sign = (changed: typeof body) => () => signCertificate(changed, certificateSigner)
    expect(sign({ ...body, receipts: [unreachable] })).toThrow(expect.objectContaining({ code: 'data' }))
    expect(sign({ ...body, receipts: [] })).toThrow(expect.objectContaining({ code: 'schema' }))
    expect(sign({ ...body, issuedAt: '2026-11-21' })).toThrow(expect.objectContaining({ code: 'schema' }))
    const early = { ...closedBody(first.digest), horizons: body.horizons }
    expect(() => signCertificate(early, certificateSigner)).toThrow(expect.objectContaining({ code: 'data' }))
  })

  test('uses no key for what it was not made for', () => {
    expect(() => signCertificate(certificateBody(), logSigner)).toThrow(
      expect.objectContaining({ code: 'unknown-key' }),
    )
  })

  test('is a stranger to the verifier: no file that signs or builds is imported by one that verifies', () => {
    const seen = new Set<string>()
    const visit = (file: string) => {
      if (seen.has(file)) return
      seen.add(file)
      const source = readFileSync(new URL(file, import.meta.url), 'utf8')
      for (const [, name] of source.matchAll(/from '(\.\/[^']+)'/g)) visit(name!)
    }
    visit('./verify-certificate.ts')
    expect(seen.size).toBeGreaterThan(10)
    const strangers = ['sign-certificate', 'sign-checkpoint', 'signer', 'merkle-tree', 'cosign', 'tiles']
    expect([...seen].filter((file) => strangers.includes(file.slice(2, -3)))).toEqual([])
  })

  test('writes no identifier: neither certificate nor leaf holds one', () => {
    const text = `${first.bytes}${first.leaf}`.toLowerCase()
    for (const identifier of ['ada', 'example.com', 'u-1815', SUBJECT.salt.toString('hex')]) {
      expect(text).not.toContain(identifier)
    }
  })
})

test('the keys of this world differ by use, though the bytes be the same', () => {
  const ids = [
    ...trustedKeys.logs,
    ...trustedKeys.witnesses,
    ...trustedKeys.certificates.map(({ key }) => key),
  ]
  expect(new Set(ids.map(({ fingerprint }) => fingerprint)).size).toBe(ids.length)
})
