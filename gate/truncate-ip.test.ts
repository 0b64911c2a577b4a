import { expect, test } from 'vitest'
import { truncateIp } from './truncate-ip.ts'

test.each([
  ['203.0.113.9', '203.0.113.0/24'],
  ['::ffff:203.0.113.9', '203.0.113.0/24'],
  ['::ffff:cb00:7109', '203.0.113.0/24'],
  ['2001:db8:7:8::9', '2001:db8:7::/48'],
  ['2001:0db8:0007:0008:0000:0000:0000:0009', '2001:db8:7::/48'],
  ['2001:db8::9', '2001:db8::/48'],
  ['::1', '::/48'],
  ['fe80::1%eth0', 'fe80::/48'],
  ['64:ff9b::203.0.113.9', '64:ff9b::/48'],
  ['not an address', ''],
  ['', ''],
  ['203.0.113', ''],
])('%s keeps %s', (address, expected) => {
  expect(truncateIp(address)).toBe(expected)
})
