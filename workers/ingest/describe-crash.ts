import { EbbError } from '../../runtime/errors.ts'

/**
 * What the log says of the error that ended ingest: our own words, or a library's name and code. A library's message may
 * quote what it was given.
 */
export function describeCrash(error: unknown): { code: string; name?: string; message?: string } {
  if (error instanceof EbbError) return { code: error.code, message: error.message }
  if (!(error instanceof Error)) return { code: 'unknown' }
  const { code, type } = error as { code?: unknown; type?: unknown }
  const known = [type, code].find((one) => typeof one === 'string' && /^\w{1,60}$/.test(one))
  return { code: (known as string | undefined) ?? error.name, name: error.name }
}
