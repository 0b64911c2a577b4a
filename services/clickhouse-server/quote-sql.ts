import { ClickHouseError } from './map-error.ts'

export const quoteString = (text: string) =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\0', '\\0')}'`
export const quoteName = (name: string) => `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``

/** What a request brings along for its statement. */
export interface Surroundings {
  database: string
  settings: [string, string][]
  parameters: [string, string][]
}

/**
 * The statements that give a connection what HTTP gives a request: database, settings, parameters, and a mark by which
 * the statement can be found and stopped, since the engine makes query ids of its own.
 * @throws ClickHouseError 115, 456 for names that are no names.
 */
export function preamble({ database, settings, parameters }: Surroundings, mark: string): string {
  const assignments: string[] = []
  let comment = mark
  for (const [name, value] of settings) {
    if (!/^\w+$/.test(name))
      throw new ClickHouseError(115, 'UNKNOWN_SETTING', `Unknown setting '${name.slice(0, 50)}'`)
    // The mark comes first, so that no comment can pass for another statement's mark.
    if (name === 'log_comment') comment = `${mark} ${value}`
    else assignments.push(`${name} = ${quoteString(value)}`)
  }
  for (const [name, value] of parameters) {
    if (!/^\w+$/.test(name))
      throw new ClickHouseError(456, 'UNKNOWN_QUERY_PARAMETER', 'Query parameter names are words')
    assignments.push(`param_${name} = ${quoteString(value)}`)
  }
  assignments.push(`log_comment = ${quoteString(comment)}`)
  // readonly comes last: nothing can be set after it.
  const isLast = (text: string) => (text.startsWith('readonly =') ? 1 : 0)
  assignments.sort((a, b) => isLast(a) - isLast(b))
  const use = database === 'default' ? '' : `USE ${quoteName(database)}; `
  return `${use}SET ${assignments.join(', ')}; `
}
