import { faultOfHold } from '../../schemas/erasure-messages.ts'
import { NewHold, PlacedHoldAnswer, RequestPath } from '../../schemas/privacy-api.ts'
import { gatewayError } from '../error.ts'
import { defineRoute, readOwnRequest } from '../route.ts'

export const placeHold = defineRoute({
  name: 'POST /v1/privacy/requests/:id/holds',
  summary: 'Keep fields of the vault back until a date, by an article of law',
  params: RequestPath,
  body: NewHold,
  answer: { status: 201, schema: PlacedHoldAnswer },
  errors: ['invalid_id', 'invalid_body', 'invalid_hold', 'request_unknown', 'too_late', 'saga_unavailable'],
  async handle(call) {
    const { deps, body, caller } = call
    const { requestId } = await readOwnRequest(call)
    const { fields, article, until } = body
    const wish = { fields, article, untilMs: Date.parse(until), placedBy: caller.actor }
    if (faultOfHold(wish, deps.now())) throw gatewayError('invalid_hold')
    return { status: 201, body: { holdId: await deps.actions.placeHold(requestId, wish) } }
  },
})
