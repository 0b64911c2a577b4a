import { expect, test } from 'vitest'
import type { GdprMonth } from '../schemas/privacy-api.ts'
import { chooseMonth, formatDuration, renderGdprMarkdown, renderGdprText } from './gdpr-report.ts'

const NOW = Date.parse('2026-11-21T10:00:00Z')
const REPORT: GdprMonth = {
  month: '2026-11',
  apps: null,
  received: 4,
  processed: 3,
  pending: 1,
  partial: 1,
  overdue: 1,
  carriedOver: 2,
  states: [
    { kind: 'erasure', state: 'certified', requests: 2 },
    { kind: 'erasure', state: 'refused', requests: 1 },
  ],
  averageProcessingMs: 95_000,
  worstProcessingMs: 93_784_000,
  erasedSubjects: 5,
  certificates: [
    {
      requestId: '8ff03790-0d9f-4a10-bcdf-e9317692c010',
      kind: 'certificate',
      digest: 'a'.repeat(64),
      logIndex: 17,
      issuedAt: '2026-11-20T10:00:00.000Z',
      superseded: true,
    },
    {
      requestId: '1f4d1f0a-2f0e-4a57-8a57-54c6a2a8a001',
      kind: 'partial',
      digest: 'b'.repeat(64),
      logIndex: 18,
      issuedAt: '2026-11-20T11:00:00.000Z',
      superseded: false,
    },
  ],
  refusals: [{ article: 'GDPR Art. 12(5)', requests: 1 }],
}

test.each([
  [null, '–'],
  [850, '850 ms'],
  [1_000, '1 s'],
  [95_000, '1 min 35 s'],
  [93_784_000, '1 d 2 h'],
])('%j ms is %j', (ms, text) => expect(formatDuration(ms)).toBe(text))

test('The report has each figure, the refusals by article and the certificates with their place in the log', () => {
  const text = renderGdprText(REPORT)
  for (const line of [
    'Requests received          4',
    'Pending                    1',
    'Of them partly certified   1',
    'Certificates issued        2',
    'Partial ones among them    1',
    'Average processing time    1 min 35 s',
    'Worst processing time      1 d 2 h',
    'Subjects erased            5',
    'GDPR Art. 12(5)            1',
    'log 17',
  ]) {
    expect(text).toContain(line)
  }
  const markdown = renderGdprMarkdown(REPORT, NOW)
  expect(markdown).toContain('| 17 | certificate | 2026-11-20T10:00:00.000Z |')
  expect(markdown).toContain('| GDPR Art. 12(5) | 1 |')
})

test('The month is this one unless told, and has begun', () => {
  expect(chooseMonth(undefined, NOW)).toBe('2026-11')
  expect(chooseMonth('2026-02', NOW)).toBe('2026-02')
  for (const month of ['2026-13', 'november', '2026-12']) {
    expect(() => chooseMonth(month, NOW)).toThrow(expect.objectContaining({ code: 'bad_arguments' }))
  }
})
