import { EmptyBody, PartialAnswer, RequestPath } from '../../schemas/privacy-api.ts'
import { defineRoute, readOwnRequest } from '../route.ts'

export const certifyPartial = defineRoute({
  name: 'POST /v1/privacy/requests/:id/partial',
  summary: 'While a store is out of reach: a signed, logged certificate of the others that names it',
  params: RequestPath,
  body: EmptyBody,
  answer: { status: 200, schema: PartialAnswer },
  errors: [
    'invalid_id',
    'request_unknown',
    'not_stuck',
    'store_answers',
    'survivors_found',
    'evidence_missing',
    'hold_over',
    'too_late',
    'saga_unavailable',
    'verifier_unavailable',
  ],
  async handle(call) {
    const { requestId } = await readOwnRequest(call)
    const { digest, logIndex, unreachable } = await call.deps.actions.certifyPartial(requestId)
    return { status: 200, body: { requestId, digest, logIndex, unreachable } }
  },
})
