import { expect, test } from 'vitest'
import { deriveSubjectKeys } from './subject-keys.ts'

test('the same secret always gives the same keys: a changed label would make every subject a stranger', () => {
  const keys = deriveSubjectKeys(Buffer.alloc(32, 1))
  expect({
    token: keys.token.toString('hex'),
    idKey: keys.idKey.toString('hex'),
    sealKey: keys.sealKey.toString('hex'),
  }).toMatchInlineSnapshot(`
    {
      "idKey": "d26618b43e4577cc7af6909483554726b5b2f4aaed94e86eb8c32086070629a1",
      "sealKey": "14f7a0eb04871feb59701518af0513638f9780908fcb324bd18576d9a0f8aae1",
      "token": "00d6f099a6ad55b102f750d69fdce6d6",
    }
  `)
})

test('no key can be told from another, and another secret shares none', () => {
  const one = deriveSubjectKeys(Buffer.alloc(32, 1))
  const two = deriveSubjectKeys(Buffer.alloc(32, 2))
  const all = [one, two].flatMap((keys) => [
    keys.token,
    keys.idKey.subarray(0, 16),
    keys.sealKey.subarray(0, 16),
  ])
  expect(new Set(all.map((key) => key.toString('hex'))).size).toBe(6)
})

test('a secret of another length is refused', () => {
  expect(() => deriveSubjectKeys(Buffer.alloc(31))).toThrow(RangeError)
})
