import { ClickHouseError } from './map-error.ts'
import { quoteString } from './quote-sql.ts'
import { tokenize } from './tokenize-query.ts'

/**
 * Puts `{name:Type}` parameters into the text as `CAST('value' AS Type)`, which is what the engine itself makes of them:
 * a view, through which a restricted user reads, cannot keep them open.
 * @throws ClickHouseError 456 for one without a value, 497 for an identifier, which could name any table.
 */
export function inlineParameters(sql: string, parameters: [string, string][]): string {
  const values = new Map(parameters)
  const tokens = [...tokenize(sql)]
  let out = ''
  let copied = 0
  for (let i = 0; i + 3 < tokens.length; i += 1) {
    const [open, name, colon] = [tokens[i]!, tokens[i + 1]!, tokens[i + 2]!]
    if (open.text !== '{' || name.kind !== 'word' || colon.text !== ':') continue
    const close = tokens.findIndex((token, at) => at > i && token.text === '}' && token.depth === open.depth)
    if (close < 0)
      throw new ClickHouseError(62, 'SYNTAX_ERROR', 'Syntax error: a query parameter does not end')
    const type = sql.slice(colon.end, tokens[close]!.start).trim()
    out += sql.slice(copied, open.start) + castOf(name.text, type, values)
    copied = tokens[close]!.end
    i = close
  }
  return out + sql.slice(copied)
}

function castOf(name: string, type: string, values: Map<string, string>): string {
  const value = values.get(name)
  if (value === undefined) {
    throw new ClickHouseError(
      456,
      'UNKNOWN_QUERY_PARAMETER',
      `Substitution \`${name.slice(0, 60)}\` is not set`,
    )
  }
  if (/^identifier$/i.test(type)) {
    throw new ClickHouseError(
      497,
      'ACCESS_DENIED',
      'Not enough privileges: parameters of type Identifier are not allowed',
    )
  }
  // Text comes escaped as in TabSeparated; arrays, maps and the like quote the text inside them by their own rules.
  const isText = /^((nullable|lowcardinality)\()*(string|fixedstring|enum)/i.test(type.replaceAll(' ', ''))
  const text = value === '\\N' ? 'NULL' : quoteString(isText ? unescapeTsv(value) : value)
  return `CAST(${text} AS ${type})`
}

const ESCAPES: Record<string, string> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  '0': '\0',
  a: '\x07',
  v: '\v',
}

function unescapeTsv(text: string): string {
  return text.replace(/\\(.)/gs, (_, char: string) => ESCAPES[char] ?? char)
}
