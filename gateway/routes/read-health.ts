import { z } from 'zod'
import { defineRoute } from '../route.ts'

export const readHealth = defineRoute({
  name: 'GET /health',
  summary: 'Is the process up and not stopping?',
  answer: { status: 200, schema: z.strictObject({ status: z.string() }) },
  errors: [],
  handle: ({ deps }) =>
    deps.healthy() ? { status: 200, body: { status: 'ok' } } : { status: 503, body: { status: 'stopping' } },
})
