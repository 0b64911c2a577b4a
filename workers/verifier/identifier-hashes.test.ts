import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  contactsOf as contactsOfEraser,
  handlesOf as handlesOfEraser,
} from '../../postgres/submit-erasure.ts'
import type { PersonIdentifier } from '../../schemas/erasure.ts'
import { contactsOf, handlesOf } from './identifier-hashes.ts'

const TYPED = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
  fc.constantFrom(
    ' Ada@Example.com',
    'RE\u0301NE\u0301@example.com',
    'İ@x',
    '(+49) 171-1',
    '+',
    '٠١٢',
    '１２',
    '1+2',
  ),
)
const IDENTIFIERS: fc.Arbitrary<PersonIdentifier[]> = fc.array(
  fc.record({ label: fc.constantFrom('email', 'phone', 'userId', 'anonymousId'), value: TYPED }),
  { maxLength: 5 },
)

test('the verifier makes of any identifiers what the eraser makes of them, by code of its own', () => {
  const key = randomBytes(32)
  const hex = (hashes: readonly Buffer[]) => new Set(hashes.map((hash) => hash.toString('hex')))
  fc.assert(
    fc.property(IDENTIFIERS, (identifiers) => {
      expect(new Set(handlesOf(key, identifiers))).toEqual(hex(handlesOfEraser(key, identifiers)))
      expect(new Set(contactsOf(key, identifiers))).toEqual(hex(contactsOfEraser(key, identifiers)))
    }),
  )
})

test('an address or a number that says nothing finds nobody', () => {
  const empty: PersonIdentifier[] = [
    { label: 'email', value: ' ' },
    { label: 'phone', value: 'unknown' },
  ]
  expect(contactsOf(randomBytes(32), empty)).toEqual([])
  expect(contactsOfEraser(randomBytes(32), empty)).toEqual([])
})
