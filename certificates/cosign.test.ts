import { describe, expect, test } from 'vitest'
import {
  createSampleLog,
  logSigner,
  START_SECONDS,
  testSigner,
  witnessSigner,
} from '../tests/vectors/sample-log.ts'
import { verifyCosignature } from './checkpoint.ts'
import { cosign, formatAddCheckpoint, parseAddCheckpoint } from './cosign.ts'
import { openCheckpoint } from './open-checkpoint.ts'
import { findSignature, parseSignedNote } from './signed-note.ts'

const witness = { signer: witnessSigner, logs: [logSigner.key] }
const log = createSampleLog(20)
const fork = createSampleLog(20, 'fork ')
const unwitnessed = { witnessed: false }

function request(from: typeof log, oldSize: number, size: number) {
  return {
    oldSize,
    proof: from.tree.consistency(oldSize, size),
    checkpoint: from.checkpoint(size, unwitnessed),
  }
}

describe('a witness cosigns', () => {
  test('the first head that it sees, and every head that extends the last', () => {
    const first = cosign(witness, undefined, request(log, 0, 7), START_SECONDS)
    expect(first).toMatchObject({ ok: true, origin: logSigner.key.name, state: { size: 7 } })
    if (!first.ok) return
    const second = cosign(witness, first.state, request(log, 7, 20), START_SECONDS)
    expect(second).toMatchObject({ ok: true, state: log.tree.head(20) })
  })

  test('the same head again, since the first answer may have been lost', () => {
    expect(cosign(witness, log.tree.head(7), request(log, 7, 7), START_SECONDS).ok).toBe(true)
  })

  test('with a line that holds for its key and time', () => {
    const { checkpoint } = request(log, 0, 7)
    const cosigned = cosign(witness, undefined, request(log, 0, 7), START_SECONDS)
    if (!cosigned.ok) throw new Error(cosigned.code)
    const note = parseSignedNote(`${checkpoint}${cosigned.line}\n`)
    const line = findSignature(note, witnessSigner.key)
    expect(verifyCosignature(witnessSigner.key, note.text, line!)).toBe(START_SECONDS)
    expect(openCheckpoint(`${checkpoint}${cosigned.line}\n`, [logSigner.key]).head.size).toBe(7)
  })
})

describe('a witness refuses', () => {
  test('a fork: a larger head that rewrites what it has seen', () => {
    const refused = cosign(witness, log.tree.head(7), request(fork, 7, 20), START_SECONDS)
    expect(refused).toMatchObject({ ok: false, status: 422, code: 'inconsistent' })
  })

  test('a split view: another head of the size that it has seen', () => {
    const refused = cosign(witness, log.tree.head(7), request(fork, 7, 7), START_SECONDS)
    expect(refused).toMatchObject({ ok: false, status: 409, code: 'split-view' })
  })

  test('a roll-back, and tells the size that it has', () => {
    const refused = cosign(witness, log.tree.head(20), request(log, 7, 7), START_SECONDS)
    expect(refused).toMatchObject({ ok: false, status: 409, code: 'size-conflict', size: 20 })
    const claimed = cosign(witness, log.tree.head(20), { ...request(log, 7, 7), oldSize: 20 }, START_SECONDS)
    expect(claimed).toMatchObject({ ok: false, status: 400, code: 'older-than-claimed' })
  })

  test('a proof that is missing or has too many hashes', () => {
    const full = request(log, 7, 20)
    for (const proof of [[], full.proof.slice(1), [...full.proof, full.proof[0]!]]) {
      expect(cosign(witness, log.tree.head(7), { ...full, proof }, START_SECONDS)).toMatchObject({
        status: 422,
      })
    }
  })

  test('an unknown log, a stranger who uses its name, and no checkpoint at all', () => {
    const other = testSigner('log', 'other.example/log', 'other')
    const impostor = testSigner('log', logSigner.key.name, 'impostor')
    const signedBy = (signer: typeof other) => log.checkpoint(7, { witnessed: false, signer })
    const ask = (checkpoint: string) => cosign(witness, undefined, { oldSize: 0, proof: [], checkpoint }, 0)
    expect(ask(signedBy(other))).toMatchObject({ status: 404, code: 'unknown-origin' })
    expect(ask(signedBy(impostor))).toMatchObject({ status: 403, code: 'unsigned' })
    expect(ask('hello')).toMatchObject({ status: 400, code: 'malformed' })
  })
})

test('a request survives being written and read', () => {
  const sent = request(log, 7, 20)
  expect(parseAddCheckpoint(formatAddCheckpoint(sent))).toEqual(sent)
  expect(parseAddCheckpoint(formatAddCheckpoint(request(log, 0, 7))).proof).toEqual([])
  expect(() => parseAddCheckpoint('old 07\n\nx')).toThrow(
    expect.objectContaining({ code: 'checkpoint-malformed' }),
  )
})
