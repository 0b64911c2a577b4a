import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { canonicalJson, parseCanonicalJson } from './canonical-json.ts'

const vectors = JSON.parse(
  readFileSync(new URL('../tests/vectors/canonical-json.json', import.meta.url), 'utf8'),
) as {
  numbers: [bits: string, text: string | null][]
  texts: { name: string; input: string; canonical: string }[]
  refused: { name: string; input: string }[]
}

describe('canonical JSON is RFC 8785', () => {
  test.each(vectors.numbers)('the double %s is written as %s', (bits, text) => {
    const value = Buffer.from(bits, 'hex').readDoubleBE(0)
    if (text === null) expect(() => canonicalJson(value)).toThrow('no such number')
    else expect(canonicalJson(value)).toBe(text)
  })

  test.each(vectors.texts)('$name', ({ input, canonical }) => {
    expect(canonicalJson(JSON.parse(input))).toBe(canonical)
    expect(parseCanonicalJson(Buffer.from(canonical))).toEqual(JSON.parse(input))
  })
})

describe('only the canonical spelling is read', () => {
  test.each(vectors.refused)('$name is refused', ({ input }) => {
    expect(() => parseCanonicalJson(Buffer.from(input))).toThrow(
      expect.objectContaining({ code: 'not-canonical' }),
    )
  })

  test('bytes that are not UTF-8 are refused, not replaced', () => {
    const bytes = Buffer.from([0x22, 0xc3, 0x28, 0x22])
    expect(() => parseCanonicalJson(bytes)).toThrow(expect.objectContaining({ code: 'not-utf8' }))
  })

  test('a text nested deeper than any certificate is refused without a stack overflow', () => {
    const deep = Buffer.from('['.repeat(200_000) + ']'.repeat(200_000))
    expect(() => parseCanonicalJson(deep)).toThrow(expect.objectContaining({ code: 'not-canonical' }))
  })

  test('a text larger than any certificate is refused unread', () => {
    const large = Buffer.from(`"${'a'.repeat(1 << 20)}"`)
    expect(() => parseCanonicalJson(large)).toThrow(expect.objectContaining({ code: 'too-large' }))
  })
})

test('what JSON cannot hold has no canonical form', () => {
  for (const value of [undefined, () => 1, Symbol('s'), 1n, { a: undefined }, '\ud800', { '\udc00': 1 }]) {
    expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ code: 'not-canonical' }))
  }
})
