import { z } from 'zod'
import { gatewayError } from '../error.ts'
import { defineRoute } from '../route.ts'

/** As C2SP tlog-tiles names them: hashes by level, or bundles of entries; the last of a row may be partial. */
const TILE =
  /^([0-9]|[1-5][0-9]|6[0-3]|entries)\/(x[0-9]{3}\/){0,5}[0-9]{3}(\.p\/([1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?$/

export const readTile = defineRoute({
  name: 'GET /v1/log/tile/*',
  summary: 'The transparency log as files (C2SP tlog-tiles): whoever reads them can audit it',
  params: z.strictObject({ '*': z.string() }),
  answer: { status: 200, type: 'application/octet-stream' },
  errors: ['tile_unknown', 'log_unavailable'],
  async handle({ deps, params }) {
    const path = params['*']
    if (!TILE.test(path)) throw gatewayError('tile_unknown')
    const body = await deps.readLogFile(`tile/${path}`).catch((cause) => {
      throw gatewayError('log_unavailable', cause)
    })
    if (body === undefined) throw gatewayError('tile_unknown')
    return { status: 200, type: 'application/octet-stream', body }
  },
})
