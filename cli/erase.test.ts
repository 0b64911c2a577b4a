import { describe, expect, it } from 'vitest'
import type { PrivacyRequest } from '../postgres/privacy-requests.ts'
import type { ErasureStatus } from '../schemas/erasure.ts'
import { describeRequest, readWish } from './erase.ts'
import { describeStatus } from './submit-erasure.ts'

const NOBODY = { email: [], userId: [], anonymousId: [], phone: [] }
const request: PrivacyRequest = {
  requestId: '0d6f5c0e-6a0b-4a41-9a3e-0c4e41f7a001',
  app: 'shop',
  state: 'stuck',
  proof: 'email-code',
  requestedBy: 'cli:ada',
  receivedAt: new Date('2026-11-20T10:00:00Z'),
  graceUntil: new Date('2026-11-20T10:00:00Z'),
  dueAt: new Date('2026-11-20T11:00:00Z'),
  blockedAt: new Date('2026-11-20T10:00:01Z'),
  certifiedAt: null,
  closedAt: null,
  stuckStore: 's3/archive',
  article: null,
  progress: {},
}

describe('ebb erase', () => {
  it('takes any number of identifiers', () => {
    const wish = readWish({
      ...NOBODY,
      app: 'shop',
      email: ['ada@example.com'],
      userId: ['a'],
      proof: 'email-code',
    })
    expect(wish.identifiers).toEqual([
      { label: 'email', value: 'ada@example.com' },
      { label: 'userId', value: 'a' },
    ])
  })

  it.each([
    [{ ...NOBODY, email: ['a@b.c'], proof: 'email-code' }, /--app/],
    [{ ...NOBODY, app: 'shop', email: ['a@b.c'] }, /--proof/],
    [{ ...NOBODY, app: 'shop', proof: 'email-code' }, /identifiers/],
    [{ ...NOBODY, app: 'shop', userId: ['x'.repeat(257)], proof: 'email-code' }, /identifiers/],
  ])('names what is missing in %j, and no value', (options, message) => {
    expect(() => readWish(options)).toThrow(message)
    expect(() => readWish(options)).not.toThrow(/a@b\.c|xxx/)
  })
})

describe('what is shown of a request', () => {
  it('says which store it waits for, and that it is late', () => {
    expect(describeRequest(request)).toContain('stuck on s3/archive')
    expect(describeRequest(request)).toContain('OVERDUE')
    expect(describeRequest({ ...request, certifiedAt: new Date() })).not.toContain('OVERDUE')
  })

  const stuck: ErasureStatus = {
    state: 'stuck',
    stage: 'waiting for the shared erasure',
    blockedStore: 's3/archive',
    unreachable: true,
    dueMs: 0,
    done: [{ stage: 'blocking', outcome: 'collection and use have stopped' }],
    certificates: [],
  }

  it('has the steps of the saga, and the command that tries again', () => {
    const lines = describeStatus(request, stuck)
    expect(lines.join('\n')).toContain('✓ blocking')
    expect(lines.join('\n')).toContain(`ebb erase retry ${request.requestId}`)
    expect(lines.join('\n')).toContain(`ebb erase partial ${request.requestId}`)
    expect(describeStatus(request, undefined).at(-1)).toContain('no answer')
  })

  it('offers no partial certificate where a store keeps something, nor without the keyring', () => {
    for (const saga of [
      { ...stuck, unreachable: false },
      { ...stuck, blockedStore: 'keyring' },
    ]) {
      const lines = describeStatus(request, saga).join('\n')
      expect(lines).not.toContain('ebb erase partial')
      expect(lines).toContain(`ebb erase retry ${request.requestId}`)
    }
  })
})
