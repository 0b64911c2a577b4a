import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import { refuseForeign } from './refuse-foreign.ts'

const look = (headers: Record<string, string>, allowed: string[] = []) =>
  refuseForeign({ headers } as unknown as IncomingMessage, allowed)

describe('for a user without a password', () => {
  test.each([
    [{ host: '127.0.0.1:8123' }],
    [{ host: 'localhost:8123' }],
    [{ host: 'LOCALHOST' }],
    [{ host: '[::1]:8123' }],
    [{ host: '127.0.0.1:8123', 'sec-fetch-site': 'none' }],
  ])('%j is served', (headers) => {
    expect(() => look(headers as Record<string, string>)).not.toThrow()
  })

  test.each([
    [{ host: '127.0.0.1:8123', origin: 'https://example.com' }],
    [{ host: '127.0.0.1:8123', origin: 'null' }],
    [{ host: '127.0.0.1:8123', origin: 'http://127.0.0.1:8123' }],
    [{ host: '127.0.0.1:8123', 'sec-fetch-site': 'cross-site' }],
    [{ host: 'rebound.example.com:8123' }],
    [{ host: '127.0.0.1.example.com' }],
    [{ host: 'localhost.example.com' }],
    [{ host: '0.0.0.0:8123' }],
    [{}],
  ])('%j is refused with 403', (headers) => {
    expect(() => look(headers as Record<string, string>)).toThrow(expect.objectContaining({ code: 497 }))
  })

  test('hosts that the operator allows may be called, and their pages may call', () => {
    const headers = { host: 'clickhouse.internal:8123', origin: 'http://tool.internal:3000' }
    expect(() => look(headers, ['clickhouse.internal', 'tool.internal'])).not.toThrow()
    expect(() => look(headers, ['clickhouse.internal'])).toThrow('Origin')
    expect(() => look(headers, ['tool.internal'])).toThrow('Host')
  })
})
