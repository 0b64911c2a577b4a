import { Acknowledged, EmptyBody, RequestPath } from '../../schemas/privacy-api.ts'
import { defineRoute, readOwnRequest } from '../route.ts'

export const cancelRequest = defineRoute({
  name: 'POST /v1/privacy/requests/:id/cancel',
  summary: 'End a request while nothing is destroyed yet',
  params: RequestPath,
  body: EmptyBody,
  answer: { status: 200, schema: Acknowledged },
  errors: ['invalid_id', 'request_unknown', 'too_late', 'saga_unavailable'],
  async handle(call) {
    const { requestId } = await readOwnRequest(call)
    await call.deps.actions.cancel(requestId)
    return { status: 200, body: { requestId, done: 'cancel' } }
  },
})
