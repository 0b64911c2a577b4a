import { gatewayError } from '../error.ts'
import { defineRoute } from '../route.ts'

export const readCheckpoint = defineRoute({
  name: 'GET /v1/log/checkpoint',
  summary: "The transparency log's newest signed head (C2SP tlog-checkpoint)",
  answer: { status: 200, type: 'text/plain; charset=utf-8' },
  errors: ['checkpoint_unknown', 'log_unavailable'],
  async handle({ deps }) {
    const checkpoint = await deps.readLogFile('checkpoint').catch((cause) => {
      throw gatewayError('log_unavailable', cause)
    })
    if (checkpoint === undefined) throw gatewayError('checkpoint_unknown')
    return { status: 200, type: 'text/plain; charset=utf-8', body: checkpoint.toString() }
  },
})
