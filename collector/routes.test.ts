import { expect, test } from 'vitest'
import { findRoute } from './routes.ts'

test('Each call of the Segment API has its path, with or without a query or a slash at the end', () => {
  for (const call of ['batch', 'track', 'page', 'screen', 'identify', 'alias', 'group']) {
    for (const target of [`/v1/${call}`, `/v1/${call}/`, `/v1/${call}?x=1`, `/v1/${call[0]}`]) {
      expect(findRoute(target)).toEqual({ kind: 'events', call })
    }
  }
})

test('What is not a path of ours is nothing', () => {
  for (const target of [
    '',
    '/',
    '/v1',
    '/v1/',
    '/v2/batch',
    '/v1/batch/x',
    '/V1/batch',
    '/v1/constructor',
    '*',
  ]) {
    expect(findRoute(target)).toBeUndefined()
  }
})
