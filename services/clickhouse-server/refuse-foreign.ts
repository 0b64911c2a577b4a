import type { IncomingMessage } from 'node:http'
import { ClickHouseError } from './map-error.ts'

const LOOPBACK = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/

/**
 * Refuses, for a user without a password, what a web page can send from a browser on this machine: a request with the Origin
 * of another page, and one to a name that only resolves to loopback (DNS rebinding).
 * @param allowed further hosts, without port, that may be called and whose pages may call.
 * @throws ClickHouseError 497 (HTTP 403)
 */
export function refuseForeign(message: IncomingMessage, allowed: readonly string[]): void {
  const { origin, host = '' } = message.headers
  const called = hostOf(`http://${host}`)
  if (!LOOPBACK.test(called) && !allowed.includes(called)) {
    throw refusal(`Host ${JSON.stringify(host.slice(0, 100))} is not loopback`)
  }
  if (origin !== undefined && !allowed.includes(hostOf(origin))) {
    throw refusal(`a web page sent it (Origin ${JSON.stringify(origin.slice(0, 100))})`)
  }
  // Sent by browsers with what has no Origin: images, links, forms by GET.
  const site = message.headers['sec-fetch-site']
  if (origin === undefined && (site === 'cross-site' || site === 'same-site')) {
    throw refusal('a web page of another site sent it')
  }
}

/** Name or address without port, '' when there is none. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : ''
}

function refusal(why: string): ClickHouseError {
  return new ClickHouseError(
    497,
    'ACCESS_DENIED',
    `Refused: ${why}, and this user has no password. Use the user bi, or start the server with --allow-hosts NAME,NAME.`,
  )
}
