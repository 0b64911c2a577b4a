import { ClickHouseError } from './map-error.ts'

export interface Token {
  kind: 'word' | 'string' | 'quoted' | 'number' | 'punctuation'
  text: string
  start: number
  end: number
  /** How many brackets are open around it. */
  depth: number
}

const WORD = /[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*/y
const NUMBER = /\d[\w.]*/y
const SPACE = /\s+/y

/**
 * Splits a statement into ClickHouse's tokens, without comments, up to `until`, which may stop it early (an INSERT
 * carries data behind its FORMAT, which is not SQL).
 * @throws ClickHouseError 62 for a string, comment or quoted name that does not end.
 */
export function* tokenize(sql: string): Generator<Token> {
  let at = 0
  let depth = 0
  const take = (pattern: RegExp) => {
    pattern.lastIndex = at
    return pattern.exec(sql)?.[0]
  }
  while (at < sql.length) {
    const start = at
    const char = sql[at]!
    const space = take(SPACE)
    if (space !== undefined) {
      at += space.length
    } else if (sql.startsWith('--', at) || sql.startsWith('#!', at) || sql.startsWith('# ', at)) {
      const end = sql.indexOf('\n', at)
      at = end < 0 ? sql.length : end + 1
    } else if (sql.startsWith('/*', at)) {
      at = endOfComment(sql, at)
    } else if (char === "'" || char === '"' || char === '`') {
      at = endOfQuoted(sql, at)
      yield { kind: char === "'" ? 'string' : 'quoted', text: sql.slice(start, at), start, end: at, depth }
    } else if (char === '$' && /\$\w*\$/y.test(sql.slice(at))) {
      at = endOfHeredoc(sql, at)
      yield { kind: 'string', text: sql.slice(start, at), start, end: at, depth }
    } else {
      const word = take(WORD)
      const number = word === undefined ? take(NUMBER) : undefined
      const text = word ?? number ?? char
      at += text.length
      if (text === ')' || text === ']' || text === '}') depth -= 1
      const kind = word !== undefined ? 'word' : number !== undefined ? 'number' : 'punctuation'
      yield { kind, text, start, end: at, depth }
      if (text === '(' || text === '[' || text === '{') depth += 1
    }
  }
}

function endOfQuoted(sql: string, start: number): number {
  const quote = sql[start]
  for (let at = start + 1; at < sql.length; at += 1) {
    if (sql[at] === '\\') at += 1
    else if (sql[at] === quote) {
      if (sql[at + 1] !== quote) return at + 1
      at += 1
    }
  }
  throw unfinished('quoted text')
}

function endOfComment(sql: string, start: number): number {
  // ClickHouse's comments do not nest.
  const end = sql.indexOf('*/', start + 2)
  if (end < 0) throw unfinished('comment')
  return end + 2
}

function endOfHeredoc(sql: string, start: number): number {
  const mark = /\$\w*\$/y.exec(sql.slice(start))![0]
  const end = sql.indexOf(mark, start + mark.length)
  if (end < 0) throw unfinished('heredoc')
  return end + mark.length
}

function unfinished(what: string): ClickHouseError {
  return new ClickHouseError(62, 'SYNTAX_ERROR', `Syntax error: ${what} does not end`)
}
