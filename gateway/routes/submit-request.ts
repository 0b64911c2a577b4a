import { NewErasure } from '../../schemas/erasure.ts'
import { SubmittedRequest } from '../../schemas/privacy-api.ts'
import { gatewayError } from '../error.ts'
import { defineRoute } from '../route.ts'

export const submitRequest = defineRoute({
  name: 'POST /v1/privacy/requests',
  summary: 'Ask for the erasure of a person, whose identity has been proven',
  body: NewErasure,
  answer: { status: 202, schema: SubmittedRequest },
  errors: ['invalid_body', 'invalid_identifier', 'proof_required', 'app_forbidden', 'app_unknown'],
  async handle({ deps, body, caller, about }) {
    // Before anything is looked up: a token of one app learns nothing of which others there are.
    if (caller.apps !== null && !caller.apps.includes(body.app)) throw gatewayError('app_forbidden')
    const { requestId } = await deps.actions.submit(body, caller.actor)
    about(requestId)
    const status = `/v1/privacy/requests/${requestId}`
    return { status: 202, body: { requestId, status }, location: status }
  },
})
