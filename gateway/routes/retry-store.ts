import { Acknowledged, EmptyBody, RequestPath } from '../../schemas/privacy-api.ts'
import { defineRoute, readOwnRequest } from '../route.ts'

export const retryStore = defineRoute({
  name: 'POST /v1/privacy/requests/:id/retry',
  summary: 'Try the store again now that the erasure is blocked on',
  params: RequestPath,
  body: EmptyBody,
  answer: { status: 200, schema: Acknowledged },
  errors: ['invalid_id', 'request_unknown', 'not_stuck', 'too_late', 'saga_unavailable'],
  async handle(call) {
    const { requestId } = await readOwnRequest(call)
    await call.deps.actions.retryStore(requestId)
    return { status: 200, body: { requestId, done: 'retry' } }
  },
})
