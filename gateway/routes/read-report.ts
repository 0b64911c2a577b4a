import { readGdprMonth } from '../../postgres/read-gdpr-month.ts'
import { GdprMonth, ReportQuery } from '../../schemas/privacy-api.ts'
import { defineRoute } from '../route.ts'

export const readReport = defineRoute({
  name: 'GET /v1/privacy/report',
  summary: 'Requests of a month: states, processing times, certificates, refusals',
  query: ReportQuery,
  answer: { status: 200, schema: GdprMonth },
  errors: ['invalid_query'],
  async handle({ deps, query, caller }) {
    const now = new Date(deps.now())
    const body = await readGdprMonth(deps.postgres, { month: query.month, apps: caller.apps, now })
    return { status: 200, body }
  },
})
