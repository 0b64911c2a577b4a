import type { SegmentCall } from '../schemas/segment.ts'

export type Route = { kind: 'events'; call: 'batch' | SegmentCall } | { kind: 'health' }

/** Paths of Segment's HTTP API, and the short ones that its browser library posts to. */
const EVENTS: [call: 'batch' | SegmentCall, ...paths: string[]][] = [
  ['batch', '/v1/batch', '/v1/b', '/v1/import'],
  ['track', '/v1/track', '/v1/t'],
  ['page', '/v1/page', '/v1/p'],
  ['screen', '/v1/screen', '/v1/s'],
  ['identify', '/v1/identify', '/v1/i'],
  ['alias', '/v1/alias', '/v1/a'],
  ['group', '/v1/group', '/v1/g'],
]

const ROUTES = new Map<string, Route>([['/health', { kind: 'health' }]])
for (const [call, ...paths] of EVENTS) {
  for (const path of paths) ROUTES.set(path, { kind: 'events', call })
}

/** The route of a request target; the query, if any, says nothing to us. */
export function findRoute(target: string): Route | undefined {
  const query = target.indexOf('?')
  const path = query < 0 ? target : target.slice(0, query)
  return ROUTES.get(path) ?? (path.endsWith('/') ? ROUTES.get(path.slice(0, -1)) : undefined)
}
