import { listHolds } from '../../postgres/list-holds.ts'
import { listCertificates } from '../../postgres/read-certificates.ts'
import { type RequestDetail as Detail, RequestDetail, RequestPath } from '../../schemas/privacy-api.ts'
import { defineRoute, readOwnRequest } from '../route.ts'
import { summariseRequest } from '../summarise-request.ts'

export const readRequest = defineRoute({
  name: 'GET /v1/privacy/requests/:id',
  summary: 'How far a request is, its certificates and its holds',
  params: RequestPath,
  answer: { status: 200, schema: RequestDetail },
  errors: ['invalid_id', 'request_unknown'],
  async handle(call) {
    const request = await readOwnRequest(call)
    const { postgres } = call.deps
    const [certificates, holds] = await Promise.all([
      listCertificates(postgres, request.requestId),
      listHolds(postgres, request.requestId),
    ])
    const body: Detail = {
      ...summariseRequest(request),
      certificates: certificates.map(({ requestId: _, issuedAt, ...rest }) => ({
        ...rest,
        issuedAt: issuedAt.toISOString(),
      })),
      holds: holds.map(({ until, placedAt, releasedAt, ...rest }) => ({
        ...rest,
        until: until.toISOString(),
        placedAt: placedAt.toISOString(),
        releasedAt: releasedAt === null ? null : releasedAt.toISOString(),
      })),
    }
    return { status: 200, body }
  },
})
