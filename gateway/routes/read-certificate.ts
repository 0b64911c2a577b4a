import { parseCanonicalJson } from '../../certificates/canonical-json.ts'
import { describeCertificate } from '../../certificates/describe-certificate.ts'
import { parseCertificate } from '../../certificates/read-certificate.ts'
import { renderHtml, renderMarkdown } from '../../certificates/render-certificate.ts'
import { readSealed } from '../../postgres/privacy-requests.ts'
import {
  listCertificates,
  readCertificateFile,
  type StoredCertificate,
} from '../../postgres/read-certificates.ts'
import { EbbError } from '../../runtime/errors.ts'
import { CertificateQuery, RequestPath } from '../../schemas/privacy-api.ts'
import { gatewayError } from '../error.ts'
import { defineRoute, type GatewayDeps, type Reply, readOwnRequest } from '../route.ts'

const TYPES = {
  json: 'application/json; charset=utf-8',
  proof: 'text/plain; charset=utf-8',
  md: 'text/markdown; charset=utf-8',
  html: 'text/html; charset=utf-8',
  salt: 'text/plain; charset=utf-8',
} as const

export const readCertificate = defineRoute({
  name: 'GET /v1/privacy/requests/:id/certificate',
  summary: 'The signed file, its proof, a page for the person, or the salt of its commitments',
  params: RequestPath,
  query: CertificateQuery,
  answer: { status: 200, type: TYPES.json, alternatives: [TYPES.proof, TYPES.md, TYPES.html] },
  errors: ['invalid_id', 'invalid_query', 'request_unknown', 'certificate_unknown', 'salt_gone'],
  async handle(call) {
    const { deps, query } = call
    const { requestId } = await readOwnRequest(call)
    if (query.format === 'salt') return await readSalt(deps, requestId)
    const listed = await listCertificates(deps.postgres, requestId)
    const chosen = query.digest ? listed.find(({ digest }) => digest === query.digest) : newest(listed)
    const stored = chosen && (await readCertificateFile(deps.postgres, requestId, chosen.digest))
    if (!stored) throw gatewayError('certificate_unknown')
    return { status: 200, type: TYPES[query.format], body: render(stored, chosen.digest, query.format) }
  },
})

/** What holds: the newest that answers the request and was not withdrawn. */
function newest(listed: StoredCertificate[]): StoredCertificate | undefined {
  return listed.findLast(
    ({ kind, superseded }) => !superseded && kind !== 'received' && kind !== 'supersession',
  )
}

function render(
  { file, proof }: { file: Buffer; proof: string },
  digest: string,
  format: 'json' | 'proof' | 'md' | 'html',
): Buffer | string {
  if (format === 'json') return file
  if (format === 'proof') return proof
  const page = describeCertificate(parseCertificate(parseCanonicalJson(file)), digest)
  return format === 'md' ? renderMarkdown(page) : renderHtml(page)
}

async function readSalt(deps: GatewayDeps, requestId: string): Promise<Reply> {
  const { salt } = await readSealed(deps, requestId).catch((error) => {
    throw error instanceof EbbError && error.code === 'request_unknown' ? gatewayError('salt_gone') : error
  })
  if (salt === '') throw gatewayError('salt_gone')
  return { status: 200, type: TYPES.salt, body: `${salt}\n` }
}
