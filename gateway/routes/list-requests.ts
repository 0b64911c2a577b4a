import { listRequests as readRequests } from '../../postgres/privacy-requests.ts'
import { addMonths } from '../../schemas/day.ts'
import { RequestList, RequestListQuery } from '../../schemas/privacy-api.ts'
import { defineRoute } from '../route.ts'
import { summariseRequest } from '../summarise-request.ts'

export const listRequests = defineRoute({
  name: 'GET /v1/privacy/requests',
  summary: 'Requests, newest first, by state and month',
  query: RequestListQuery,
  answer: { status: 200, schema: RequestList },
  errors: ['invalid_query'],
  async handle({ deps, query, caller }) {
    const { limit, month, state } = query
    const ends = [query.before, month && `${addMonths(month, 1)}-01T00:00:00Z`].filter((end) => !!end)
    const before = ends.length > 0 && new Date(Math.min(...ends.map((end) => Date.parse(end!))))
    // One more than asked for tells whether there is another page.
    const found = await readRequests(deps.postgres, {
      ...(caller.apps !== null && { apps: caller.apps }),
      ...(state && { states: [state] }),
      ...(month && { since: new Date(`${month}-01T00:00:00Z`) }),
      ...(before && { before }),
      limit: limit + 1,
    })
    const page = found.slice(0, limit)
    const next = found.length > limit ? page.at(-1)!.receivedAt.toISOString() : null
    return { status: 200, body: { requests: page.map(summariseRequest), next } }
  },
})
