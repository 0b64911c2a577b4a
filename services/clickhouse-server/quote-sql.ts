import { ClickHouseError } from './map-error.ts'
import type { QueryRequest } from './parse-request.ts'

export const quoteString = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
export const quoteName = (name: string) => `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``

/** What `log_comment` of a running statement ends with, by which it can be found and killed. */
export const markOf = (queryId: string) => `ebb:${queryId}`

/**
 * The statements that give a connection what HTTP gives a request: database, settings, parameters, and the query id,
 * which the engine keeps for itself.
 * @throws ClickHouseError 115, 456 for names that are no names.
 */
export function preamble(request: QueryRequest, extra: [string, string][] = []): string {
  const assignments: string[] = []
  let comment = ''
  for (const [name, value] of [...request.settings, ...extra]) {
    if (!/^\w+$/.test(name))
      throw new ClickHouseError(115, 'UNKNOWN_SETTING', `Unknown setting '${name.slice(0, 50)}'`)
    if (name === 'log_comment') comment = `${value} `
    else assignments.push(`${name} = ${quoteString(value)}`)
  }
  for (const [name, value] of request.parameters) {
    if (!/^\w+$/.test(name))
      throw new ClickHouseError(456, 'UNKNOWN_QUERY_PARAMETER', 'Query parameter names are words')
    assignments.push(`param_${name} = ${quoteString(value)}`)
  }
  assignments.push(`log_comment = ${quoteString(comment + markOf(request.queryId))}`)
  // A database is only entered when it is not the session's own: USE costs a round.
  const use = request.database === 'default' ? '' : `USE ${quoteName(request.database)}; `
  return `${use}SET ${assignments.join(', ')}; `
}
