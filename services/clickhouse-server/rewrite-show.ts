import type { Statement } from './analyse-query.ts'
import { ClickHouseError } from './map-error.ts'
import { quoteString } from './quote-sql.ts'

/**
 * SHOW, DESCRIBE and EXISTS as selects from `system.*`, which ClickHouse filters by the reader's grants: they cannot be
 * run as another user otherwise. @returns undefined for all other statements.
 * @throws ClickHouseError 497 for forms that are not rewritten.
 */
export function rewriteShow(statement: Statement, database: string): string | undefined {
  const end = statement.formatAt?.start
  const tokens = statement.tokens.filter((token) => end === undefined || token.end <= end)
  const words = tokens.map((token) => (token.kind === 'word' ? token.text.toUpperCase() : token.text))
  // Names as the text has them, unquoted.
  const texts = tokens.map((token) => (token.kind === 'word' ? token.text : unquote(token.text)))
  switch (words[0]) {
    case 'SHOW':
      return show(words, texts, database)
    case 'DESCRIBE':
    case 'DESC':
      return describe(texts.slice(words[1] === 'TABLE' ? 2 : 1), database)
    case 'EXISTS':
      return exists(words, texts, database)
    default:
      return undefined
  }
}

const unquote = (text: string) => text.replace(/^(['"`])(.*)\1$/s, '$2')

function nameIn(texts: string[], database: string): { database: string; table: string } {
  if (texts.length === 1) return { database, table: texts[0]! }
  if (texts.length === 3 && texts[1] === '.') return { database: texts[0]!, table: texts[2]! }
  throw refused()
}

function refused(): ClickHouseError {
  return new ClickHouseError(
    497,
    'ACCESS_DENIED',
    'Not enough privileges: this form of SHOW, DESCRIBE or EXISTS is not allowed',
  )
}

/** `[FROM|IN db] [LIKE 'pattern']` from `at` on. */
function tail(
  words: string[],
  texts: string[],
  at: number,
  database: string,
): { database: string; like: string } {
  let from = database
  let like = ''
  for (let i = at; i < words.length; i += 2) {
    const value = texts[i + 1]
    if (value === undefined) throw refused()
    if (words[i] === 'FROM' || words[i] === 'IN') from = value
    else if (words[i] === 'LIKE' || words[i] === 'ILIKE') like = ` AND name ${words[i]} ${quoteString(value)}`
    else throw refused()
  }
  return { database: from, like }
}

function show(words: string[], texts: string[], database: string): string {
  if (words[1] === 'DATABASES') {
    return `SELECT name FROM system.databases WHERE 1${tail(words, texts, 2, '').like} ORDER BY name`
  }
  if (words[1] === 'TABLES') {
    const { database: from, like } = tail(words, texts, 2, database)
    return `SELECT name FROM system.tables WHERE database = ${quoteString(from)}${like} ORDER BY name`
  }
  if (words[1] === 'CREATE') {
    const skip = words[2] === 'TABLE' || words[2] === 'VIEW' ? 3 : 2
    const name = nameIn(texts.slice(skip), database)
    return `SELECT create_table_query AS statement FROM system.tables WHERE ${whereTable(name)}`
  }
  throw refused()
}

const whereTable = (name: { database: string; table: string }, column = 'name') =>
  `database = ${quoteString(name.database)} AND ${column} = ${quoteString(name.table)}`

function describe(texts: string[], database: string): string {
  const where = whereTable(nameIn(texts, database), 'table')
  return `SELECT name, type, default_kind AS default_type, default_expression, comment, '' AS codec_expression, '' AS ttl_expression FROM system.columns WHERE ${where} ORDER BY position`
}

function exists(words: string[], texts: string[], database: string): string {
  if (words[1] === 'DATABASE' && texts.length === 3) {
    return `SELECT toUInt8(count() > 0) AS result FROM system.databases WHERE name = ${quoteString(texts[2]!)}`
  }
  const skip = words[1] === 'TABLE' || words[1] === 'VIEW' ? 2 : 1
  return `SELECT toUInt8(count() > 0) AS result FROM system.tables WHERE ${whereTable(nameIn(texts.slice(skip), database))}`
}
