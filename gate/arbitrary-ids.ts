import fc from 'fast-check'

export const letters = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ'
export const token = (characters: string, min: number, max: number) =>
  fc.string({ unit: fc.constantFrom(...characters), minLength: min, maxLength: max })

/** Ids long enough that finding one by chance in a few kilobytes is out of the question. */
export const id = fc.oneof(
  fc.uuid(),
  token(`${letters}0123456789`, 10, 40),
  token(`${letters}-_. @/+%"\\`, 14, 40),
  token(`${letters}äöüßéñ語한ж😀`, 14, 30),
  token('123456789', 12, 15),
  fc
    .tuple(token(letters, 6, 12), token(letters, 6, 12))
    .map(([local, domain]) => `${local}@${domain}.example`),
)
/** What a careless or ill-willed developer does with an identifier before putting it in a property. */
export const disguise = fc.constantFrom<(text: string) => string>(
  (text) => text,
  (text) => `for ${text} only`,
  (text) => `/a/${text}/b?x=${text}#${text}`,
  (text) => `https://shop.example/${encodeURIComponent(text)}`,
  (text) => `"${text}"\n\u0000`,
  (text) => `x${text}x`,
)

/** Forms in which a secret could come out of the gate. */
export function formsOf(secret: string): Buffer[] {
  const plain = Buffer.from(secret)
  const base64 = plain.toString('base64').replace(/=+$/, '').slice(0, -1)
  const forms = [plain, Buffer.from(plain.toString('hex')), Buffer.from(base64), Buffer.from(plain).reverse()]
  return [
    ...forms,
    Buffer.from([...secret].reverse().join('')),
    Buffer.from(JSON.stringify(secret).slice(1, -1)),
  ]
}
