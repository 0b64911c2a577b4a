import { isIPv6 } from 'node:net'

const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
/** Four bytes that are no part of a longer dotted number nor of a version (`v1.2.3.4`). */
const IPV4 = new RegExp(`(?<![\\d.vV])(?<![vV]ersion[ /:])${BYTE}(?:\\.${BYTE}){3}(?!\\.?\\d)`)
const HEX_RUN = /(?<![\w:.])[0-9A-Fa-f:]{2,39}(?:%\w{1,16})?(?![\w:])/g
const MAC = /(?<![\w:-])[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![\w:-])/

/** Whether a text holds an IPv4, IPv6 or MAC address. */
export function hasNetworkAddress(text: string): boolean {
  if (IPV4.test(text)) return true
  if (!text.includes(':')) return MAC.test(text)
  if (MAC.test(text)) return true
  for (const [run] of text.matchAll(HEX_RUN)) {
    const address = run.replace(/%.*$/, '').replace(/^:(?!:)|(?<!:):$/g, '')
    // `a::b` in a stylesheet is an address by the letter; real ones have more groups, or digits.
    if (/\d/.test(address) && address.length >= 6 && isIPv6(address)) return true
  }
  return false
}
