/** Characters that may stand beside the @; any letter counts, since addresses may be written in every script. */
const LOCAL = /[\p{L}\p{N}._%+'-]/u
const DOMAIN = /^(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,62})\.){1,8}(\p{L}[\p{L}\p{N}-]{1,62})/u
/** `logo@2x.png` is a picture for dense displays. */
const DENSITY = /^[1-9]x\./
const ENCODED = /[A-Za-z0-9+/_-]{12,}={0,2}/g
const HEX = /^(?:[0-9a-fA-F]{2}){6,}$/
const MAX_DOMAIN = 255

/** Whether a text holds an e-mail address. */
export function hasEmail(text: string): boolean {
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    if (at === 0 || !LOCAL.test(text[at - 1] as string)) {
      // A surrogate pair or a quoted local part ("a b"@example.com) may end here.
      const before = text[at - 1] ?? ''
      if (before !== '"' && !/\p{Surrogate}/u.test(before)) continue
    }
    const domain = text.slice(at + 1, at + 1 + MAX_DOMAIN)
    if (DOMAIN.test(domain) && !DENSITY.test(domain)) return true
  }
  return false
}

/** Whether a text holds an e-mail address in base64, base64url or hex, as links in mails often do. */
export function hasEncodedEmail(text: string): boolean {
  for (const [token] of text.matchAll(ENCODED)) {
    if (HEX.test(token) && hasEmail(Buffer.from(token, 'hex').toString('latin1'))) return true
    const decoded = Buffer.from(token, 'base64').toString('latin1')
    // Other base64 rarely decodes to nothing but ASCII.
    if (decoded.includes('@') && /^[\x20-\x7e]+$/.test(decoded) && hasEmail(decoded)) return true
  }
  return false
}
