import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatPublicKey } from '../certificates/public-key.ts'
import { signCertificate } from '../certificates/sign-certificate.ts'
import { commitToSubject } from '../certificates/subject-commitment.ts'
import { encodeBundle } from '../certificates/tiles.ts'
import {
  certificateBody,
  certificateSigner,
  createSampleLog,
  createSampleRequest,
  logSigner,
  SALT,
  START_SECONDS,
  strangerWitness,
  supersessionBody,
  witnessSigner,
} from '../tests/vectors/sample-log.ts'
import { runVerify } from './verify.ts'

const { log, first, firstIndex } = createSampleRequest()
const keys = [logSigner, certificateSigner].map(({ key }) => formatPublicKey(key)).join('\n')
let folder: string
let certificate: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-verify-'))
  certificate = join(folder, 'certificate.json')
  await writeFile(certificate, first.bytes)
  await writeFile(join(folder, 'certificate.tlog-proof'), log.proof(firstIndex))
  await writeFile(join(folder, 'keys.txt'), `# the shop\n${keys}\n`)
  await writeFile(join(folder, 'leaves'), `${log.entries.join('\n')}\n`)
})
afterAll(() => rm(folder, { recursive: true }))

const NOW = START_SECONDS + 30 * 86_400

async function run(options: Partial<Parameters<typeof runVerify>[1]> = {}, file = certificate) {
  const lines: string[] = []
  const given = { key: [join(folder, 'keys.txt')], witnessKey: [], ...options }
  const status = await runVerify(file, given, (line) => lines.push(line), NOW)
  return { status, lines, text: lines.join('\n') }
}

test('a valid certificate: each check is named, and the verdict says as of when and who cosigned', async () => {
  const { status, text } = await run({
    witnessKey: [formatPublicKey(witnessSigner.key)],
    leaves: join(folder, 'leaves'),
    salt: SALT,
    email: 'ada@example.com',
  })
  expect(text).toMatch(/^ok {4}canonical-form$/m)
  expect(text).toMatch(/^ok {4}subject/m)
  expect(text).toContain(
    `as of log size ${log.tree.size()}, time 2026-12-11T09:00:01Z (dated by witness.example)`,
  )
  expect(text).toContain('cosigned by: witness.example')
  expect(status).toBe(0)
})

test('whose certificate it is can be shown by any kind of identifier that the request named, one at a time', async () => {
  const salt = Buffer.from(SALT)
  const named = { anonymousId: 'a-7', phone: '+49 171 1', userId: 'u-1', email: 'ada@example.com' } as const
  const labels = Object.keys(named) as (keyof typeof named)[]
  const subject = labels.map((label) => ({
    label,
    commitment: commitToSubject(salt, { label, value: named[label] }),
  }))
  const log = createSampleLog()
  const signed = signCertificate({ ...certificateBody(), subject }, certificateSigner)
  const file = join(folder, 'four.json')
  await writeFile(file, signed.bytes)
  await writeFile(join(folder, 'four.tlog-proof'), log.proof(log.add(signed)))
  for (const label of labels) {
    expect((await run({ salt, [label]: named[label] }, file)).text).toMatch(/^ok {4}subject/m)
    expect((await run({ salt, [label]: `${named[label]}0` }, file)).text).toContain('subject-mismatch')
  }
  const { status, text } = await run({ salt, phone: named.phone, email: named.email }, file)
  expect(text).toContain('one identifier at a time')
  expect(status).toBe(1)
})

test('what was not looked at is not called ok', async () => {
  const { status, text } = await run()
  expect(text).toMatch(/^- {5}supersession/m)
  expect(text).toContain('whether it was withdrawn by a later leaf of that log was not checked')
  expect(text).toContain('cosigned by: no witness that you named')
  expect(status).toBe(0)
})

test('a refusal ends with 1 and its reason', async () => {
  const { status, lines } = await run({ witnessKey: [formatPublicKey(strangerWitness.key)] })
  expect(lines.at(-1)).toBe('NOT VALID  witness-missing: 0 of 1 required witnesses cosigned')
  expect(status).toBe(1)
})

test('the entries are taken as the log publishes them, too: bundles, one after the other', async () => {
  const bundles = join(folder, 'bundles')
  const half = Math.floor(log.entries.length / 2)
  const parts = [log.entries.slice(0, half), log.entries.slice(half)].map((part) => encodeBundle(part))
  await writeFile(bundles, Buffer.concat(parts))
  expect(await run({ leaves: bundles })).toEqual(await run({ leaves: join(folder, 'leaves') }))
  await writeFile(bundles, Buffer.concat(parts).subarray(0, -3))
  const { status, text } = await run({ leaves: bundles })
  expect([status, text]).toEqual([1, 'NOT VERIFIED  leaf-malformed: the bundle ends within an entry'])
  await writeFile(bundles, parts[0]!)
  expect((await run({ leaves: bundles })).text).toContain('leaves-mismatch')
})

test('a withdrawn certificate is refused once the later leaves are given', async () => {
  const later = createSampleRequest()
  later.log.add(signCertificate(supersessionBody(later.first.digest), certificateSigner))
  await writeFile(join(folder, 'later.tlog-proof'), later.log.proof(later.firstIndex))
  await writeFile(join(folder, 'later'), later.log.entries.slice(later.firstIndex + 1).join('\n'))
  const { status, text } = await run({
    proof: join(folder, 'later.tlog-proof'),
    leaves: join(folder, 'later'),
  })
  expect(text).toContain(`NOT VALID  superseded: withdrawn by leaf ${later.log.tree.size() - 1}`)
  expect(status).toBe(1)
})

test('a head that was seen before must be extended', async () => {
  await writeFile(join(folder, 'seen'), log.checkpoint(7))
  await writeFile(
    join(folder, 'way'),
    log.tree
      .consistency(7)
      .map((hash) => hash.toString('base64'))
      .join('\n'),
  )
  expect((await run({ known: join(folder, 'seen') })).text).toContain('NOT VALID  inconsistent')
  expect((await run({ known: join(folder, 'seen'), consistency: join(folder, 'way') })).status).toBe(0)
})

test('a log whose last date is too long ago is stale', async () => {
  expect((await run({ maxAgeDays: 9 })).text).toContain('NOT VALID  stale-checkpoint')
  expect((await run({ maxAgeDays: 11 })).status).toBe(0)
})

test('missing files, keys that are none and half an identifier verify nothing', async () => {
  expect(await run({}, join(folder, 'nothing.json'))).toMatchObject({ status: 1 })
  expect((await run({ key: ['a+00000000+AAAA'] })).text).toContain('key-malformed')
  expect((await run({ email: 'ada@example.com' })).text).toContain('only be compared with the salt')
  expect((await run({ salt: SALT })).status).toBe(1)
})

test('one JSON object instead, for programs', async () => {
  const { lines } = await run({ json: true })
  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0]!)).toMatchObject({ ok: true, asOf: { size: log.tree.size() } })
})
