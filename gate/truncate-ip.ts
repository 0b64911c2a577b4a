import { isIPv4, isIPv6 } from 'node:net'

/**
 * The network of an address: /24 of IPv4, /48 of IPv6, e.g. `203.0.113.0/24`, `2001:db8:7::/48`. An IPv4 address in IPv6
 * clothes (`::ffff:203.0.113.9`) is treated as IPv4, or its /48 would be the same for everyone.
 * @returns '' where the text is no address.
 */
export function truncateIp(address: string): string {
  const ip = address.trim().replace(/%.*$/, '')
  if (isIPv4(ip)) return `${ip.slice(0, ip.lastIndexOf('.'))}.0/24`
  if (!isIPv6(ip)) return ''
  const groups = expandIpv6(ip)
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  if (mapped) {
    const high = groups[6] as number
    return `${high >> 8}.${high & 0xff}.${(groups[7] as number) >> 8}.0/24`
  }
  const prefix = groups.slice(0, 3).map((group) => group.toString(16))
  while (prefix.length > 0 && prefix[prefix.length - 1] === '0') prefix.pop()
  return `${prefix.join(':')}::/48`
}

/** The eight groups of a valid address. */
function expandIpv6(ip: string): number[] {
  const dotted = ip.includes('.') ? ip.slice(ip.lastIndexOf(':') + 1) : ''
  let text = ip
  if (dotted) {
    const [a = 0, b = 0, c = 0, d = 0] = dotted.split('.').map(Number)
    text = `${ip.slice(0, -dotted.length)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  }
  const [head = '', tail] = text.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const missing = tail === undefined ? 0 : 8 - before.length - after.length
  return [...before, ...Array<string>(missing).fill('0'), ...after].map((group) => Number.parseInt(group, 16))
}
