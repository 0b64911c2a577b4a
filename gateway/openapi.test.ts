import { expect, test } from 'vitest'
import { EbbError } from '../runtime/errors.ts'
import { thisStoreAnswers } from '../schemas/erasure-messages.ts'
import { answerFor, GATEWAY_ERROR_CODES, gatewayError } from './error.ts'
import { describeApi } from './openapi.ts'
import { ROLES } from './roles.ts'
import { ROUTES } from './routes.ts'

interface Operation {
  operationId: string
  security?: unknown
  'x-roles'?: unknown
  parameters: { name: string; in: string; required: boolean; schema: object }[]
  requestBody?: { content: { 'application/json': { schema: Record<string, unknown> } } }
  responses: Record<string, { description: string }>
}
const api = describeApi(ROUTES) as { openapi: string; paths: Record<string, Record<string, Operation>> }
const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
)

test('The description has every route, and each operation a name of its own', () => {
  const names = operations.map(
    ({ path, method }) => `${method.toUpperCase()} ${path.replace('{*}', '*').replace(/\{(\w+)\}/g, ':$1')}`,
  )
  expect(names.sort()).toEqual(Object.keys(ROLES).sort())
  expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(names.length)
  expect(api.openapi).toBe('3.1.0')
})

test('It says what the schemas say: unknown keys are refused, a proof of identity is required', () => {
  const { schema } = api.paths['/v1/privacy/requests']!.post!.requestBody!.content['application/json']
  expect(schema).toMatchObject({ additionalProperties: false, required: ['app', 'identifiers', 'proof'] })
  expect(schema).toHaveProperty('properties.identifiers.maxItems', 20)
})

test('Every path parameter is described, and every route that needs a token says so', () => {
  for (const { path, operation } of operations) {
    const inPath = [...path.matchAll(/\{([\w*]+)\}/g)].map((match) => match[1])
    expect(operation.parameters.filter((one) => one.in === 'path').map((one) => one.name)).toEqual(inPath)
    expect(operation.security === undefined).toBe(operation['x-roles'] === undefined)
  }
})

test('Errors are from the closed list, have a text of their own, and hide what broke', () => {
  const texts = GATEWAY_ERROR_CODES.map((code) => answerFor(gatewayError(code)).body)
  expect(new Set(texts).size).toBe(texts.length)
  for (const error of [
    new Error('ada@example.com'),
    'ada',
    null,
    { code: '__proto__' },
    { code: 'constructor' },
  ]) {
    expect(answerFor(error)).toMatchObject({ code: 'internal', status: 500 })
    expect(answerFor(error).body).not.toContain('ada')
  }
})

test('A store that answers again is named where it is one of the data map, and nothing else that an error says', () => {
  const said = (message: string) => answerFor(new EbbError('store_answers', message)).body
  for (const store of ['s3/exports', 'clickhouse/aggregates'])
    expect(said(thisStoreAnswers(store))).toContain(store)
  const fixed = answerFor(gatewayError('store_answers')).body
  expect(said(thisStoreAnswers('ada@example.com'))).toBe(fixed)
  expect(answerFor(new EbbError('too_late', thisStoreAnswers('s3/exports'))).body).not.toContain('s3/exports')
  // Another store may still be away.
  expect(fixed).not.toContain('nothing is out of reach')
})
