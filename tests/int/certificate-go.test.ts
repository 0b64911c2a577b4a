import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { formatPublicKey } from '../../certificates/public-key.ts'
import { signCertificate } from '../../certificates/sign-certificate.ts'
import { newTiles } from '../../certificates/tiles.ts'
import {
  certificateBody,
  certificateSigner,
  createSampleLog,
  logSigner,
  ORIGIN,
  START_SECONDS,
  testSigner,
  witnessSigner,
} from '../vectors/sample-log.ts'

const folder = fileURLToPath(new URL('../go/', import.meta.url))
const hasGo = spawnSync('go', ['version']).status === 0
if (!hasGo)
  process.stderr.write('\nNOT TESTED: no `go` here, so no second implementation has read our proofs\n\n')

const SIZE = 1000
const log = createSampleLog(700)
const signed = signCertificate(certificateBody(), certificateSigner)
const index = log.add(signed)
for (const entry of createSampleLog(SIZE - index - 1, 'later ').entries) {
  log.add({ ...signed, leaf: entry })
}

interface Answer {
  status: number | null
  error: string
  output?: { size: number; index: number; cosignedAt: number; tilesRead: number; consistency: boolean }
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

function askGo(changed: Record<string, unknown> = {}): Answer {
  const bundle = {
    logKey: formatPublicKey(logSigner.key),
    certificateKey: formatPublicKey(certificateSigner.key),
    witnessKey: formatPublicKey(witnessSigner.key),
    certificate: base64(signed.bytes),
    proof: base64(log.proof(index)),
    older: log.checkpoint(300),
    consistency: log.tree.consistency(300).map(base64),
    leaves: log.entries.map(base64),
    tiles: Object.fromEntries(newTiles(log.tree, 0).map(({ path, bytes }) => [path, base64(bytes)])),
    ...changed,
  }
  const run = spawnSync('go', ['run', '.'], { cwd: folder, input: JSON.stringify(bundle), encoding: 'utf8' })
  return {
    status: run.status,
    error: run.stderr,
    ...(run.status === 0 && { output: JSON.parse(run.stdout) as NonNullable<Answer['output']> }),
  }
}

describe.skipIf(!hasGo)('Go, with the packages of its checksum database,', () => {
  // The first run compiles.
  beforeAll(() => void askGo(), 120_000)

  test('verifies certificate, inclusion, cosignature and consistency, and builds the same tiles', () => {
    const { error, output } = askGo()
    expect(error).toBe('')
    expect(output).toEqual({
      size: SIZE,
      index,
      cosignedAt: START_SECONDS + 20 * 86_400 + 1,
      consistency: true,
      tilesRead: newTiles(log.tree, 0).length,
    })
  })

  const otherLog = createSampleLog(SIZE, 'fork ')
  test.each([
    [
      'another certificate',
      { certificate: base64(Buffer.from(signed.bytes.toString().replace('"shop"', '"shoq"'))) },
    ],
    ['a proof of another index', { proof: base64(log.proof(index + 1)) }],
    ['a proof out of a fork', { proof: base64(otherLog.proof(index)) }],
    ['an older head of a fork', { older: otherLog.checkpoint(300) }],
    ['a missing tile', { tiles: {} }],
    ["another log's key", { logKey: formatPublicKey(testSigner('log', ORIGIN, 'impostor').key) }],
  ])('refuses %s, as we do', (_, changed) => {
    expect(askGo(changed)).toMatchObject({ status: 1 })
  })
})
