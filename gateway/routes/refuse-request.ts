import { Acknowledged, NewRefusal, RequestPath } from '../../schemas/privacy-api.ts'
import { defineRoute, readOwnRequest } from '../route.ts'

export const refuseRequest = defineRoute({
  name: 'POST /v1/privacy/requests/:id/refuse',
  summary: 'Refuse a request by an article of law; the refusal is signed and logged',
  params: RequestPath,
  body: NewRefusal,
  answer: { status: 200, schema: Acknowledged },
  errors: ['invalid_id', 'invalid_body', 'request_unknown', 'too_late', 'saga_unavailable'],
  async handle(call) {
    const { requestId } = await readOwnRequest(call)
    await call.deps.actions.refuse(requestId, call.body)
    return { status: 200, body: { requestId, done: 'refuse' } }
  },
})
