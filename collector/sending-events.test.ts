import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MAX_DEPTH, MAX_EVENT_BYTES } from '../gate/is-deep.ts'
import { MAX_BATCH_EVENTS } from '../gate/read-batch.ts'
import { MAX_PROPERTIES } from '../gate/read-properties.ts'
import { MAX_ID_LENGTH } from '../schemas/event-definition.ts'
import { DROP_CODES, REJECT_CODES } from '../schemas/reject-code.ts'
import { answerFor, COLLECTOR_ERROR_CODES, collectorError } from './error.ts'
import { MAX_BODY_BYTES } from './read-body.ts'
import { findRoute } from './routes.ts'

const guide = readFileSync(new URL('../docs/sending-events.md', import.meta.url), 'utf8')

/** The rows of the table that follows a text of the guide. */
function tableAfter(text: string): string[] {
  const after = guide.slice(guide.indexOf(text) + text.length)
  const table = /\n\|.*\n\|[- |]+\n((?:\|.*\n)+)/.exec(after)
  return table?.[1]?.trim().split('\n') ?? []
}

test('The guide has every code with its meaning, and no other', () => {
  const rows = (codes: Record<string, string>) =>
    Object.entries(codes).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`)
  expect(tableAfter('Events that are rejected:')).toEqual(rows(REJECT_CODES))
  expect(tableAfter('Fields that are dropped')).toEqual(rows(DROP_CODES))
  const answers = COLLECTOR_ERROR_CODES.map((code) => {
    const { status, body } = answerFor(collectorError(code))
    return `| ${status} | \`${code}\` | ${JSON.parse(body).error.message} |`
  })
  expect(tableAfter('Requests that are refused:')).toEqual(answers)
})

test('The guide has every path of the collector, and no other', () => {
  const paths = tableAfter('## Endpoints').flatMap((row) => row.match(/`\/v1\/\w+`/g) ?? [])
  expect(paths).toHaveLength(15)
  for (const path of paths) expect(findRoute(path.slice(1, -1)), path).toMatchObject({ kind: 'events' })
})

test('The guide has the limits that hold', () => {
  expect(tableAfter('## Limits').map((row) => Number(row.split('|')[2]))).toEqual([
    MAX_BODY_BYTES,
    MAX_BATCH_EVENTS,
    MAX_EVENT_BYTES,
    MAX_PROPERTIES,
    MAX_DEPTH,
    MAX_ID_LENGTH,
  ])
})
