import { Acknowledged, HoldPath } from '../../schemas/privacy-api.ts'
import { defineRoute, readOwnRequest } from '../route.ts'

export const releaseHold = defineRoute({
  name: 'DELETE /v1/privacy/requests/:id/holds/:hold',
  summary: 'End a hold before its time; what it held is erased',
  params: HoldPath,
  answer: { status: 200, schema: Acknowledged },
  errors: ['invalid_id', 'request_unknown', 'hold_unknown', 'too_late', 'saga_unavailable'],
  async handle(call) {
    const { requestId } = await readOwnRequest(call)
    await call.deps.actions.releaseHold(requestId, call.params.hold)
    return { status: 200, body: { requestId, done: 'release' } }
  },
})
