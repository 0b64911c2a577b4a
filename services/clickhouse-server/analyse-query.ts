import { ClickHouseError } from './map-error.ts'
import { type Token, tokenize } from './tokenize-query.ts'

/** What the server must know of a statement before the engine sees it. */
export interface Statement {
  /** First word, upper case; `SELECT` also for a bracketed one. */
  verb: string
  /** The statement without its data and closing semicolon. */
  sql: string
  /** FORMAT named in the text. */
  format: string | undefined
  /** For an INSERT that takes data: where in the given text the data starts. */
  dataStart: number | undefined
  /** Where the last FORMAT clause (word and name) stands in `sql`, to take it out. */
  formatAt: { start: number; end: number } | undefined
  /** Where `input('structure')` stands in `sql`, and the structure as a quoted string. */
  inputAt: { start: number; end: number; structure: string } | undefined
  tokens: Token[]
}

const isWord = (token: Token | undefined, word: string) =>
  token?.kind === 'word' && token.text.length === word.length && token.text.toUpperCase() === word

/**
 * Reads one statement. `text` may be latin1-decoded bytes: offsets then are byte offsets.
 * @throws ClickHouseError 62 when it is empty, does not end or a second statement follows: the engine would run that.
 */
export function analyseQuery(text: string): Statement {
  const tokens: Token[] = []
  let ended: number | undefined
  let insertFormat: Token | undefined
  for (const token of tokenize(text)) {
    if (token.text === ';' && token.kind === 'punctuation') {
      ended ??= token.start
      continue
    }
    if (ended !== undefined) {
      throw new ClickHouseError(62, 'SYNTAX_ERROR', 'Multi-statements are not allowed')
    }
    tokens.push(token)
    if (!isWord(tokens[0], 'INSERT') || token.depth !== 0 || tokens.length < 4) continue
    const before = tokens.at(-2)
    if (token.kind === 'word' && isWord(before, 'FORMAT')) {
      insertFormat = before
      break
    }
    if (isWord(token, 'VALUES')) return insertStatement(text, tokens, 'Values', token.start, token.end)
  }
  if (tokens.length === 0) throw new ClickHouseError(62, 'SYNTAX_ERROR', 'Syntax error: Empty query')
  if (insertFormat !== undefined) {
    const name = tokens.at(-1)!
    return insertStatement(text, tokens, name.text, insertFormat.start, name.end)
  }
  const verb = tokens[0]!.text === '(' ? 'SELECT' : tokens[0]!.text.toUpperCase()
  const sql = text.slice(0, ended ?? text.length)
  if (verb === 'INSERT' && !tokens.some((token) => isWord(token, 'SELECT') || isWord(token, 'INFILE'))) {
    return {
      verb,
      sql,
      format: undefined,
      dataStart: text.length,
      formatAt: undefined,
      inputAt: undefined,
      tokens,
    }
  }
  const format = verb === 'INSERT' ? undefined : lastFormat(tokens)
  return {
    verb,
    sql,
    ...format,
    format: format?.name,
    formatAt: format?.at,
    dataStart: undefined,
    inputAt: undefined,
    tokens,
  }
}

function lastFormat(tokens: Token[]): { name: string; at: { start: number; end: number } } | undefined {
  for (let i = tokens.length - 1; i > 0; i -= 1) {
    const token = tokens[i - 1]!
    if (token.depth === 0 && isWord(token, 'FORMAT') && tokens[i]!.kind === 'word' && i > 1) {
      // `SELECT format FROM t` is no format clause: the clause ends the text, but for SETTINGS.
      const next = tokens[i + 1]
      if (next === undefined || isWord(next, 'SETTINGS')) {
        return { name: tokens[i]!.text, at: { start: token.start, end: tokens[i]!.end } }
      }
    }
  }
  return undefined
}

function insertStatement(text: string, tokens: Token[], format: string, at: number, end: number): Statement {
  const sql = text.slice(0, at)
  const hasSelect = tokens.some((token) => token.depth === 0 && isWord(token, 'SELECT'))
  const inputAt = hasSelect ? findInput(tokens) : undefined
  const statement = { verb: 'INSERT', sql, format, formatAt: undefined, inputAt, tokens }
  // An INSERT … SELECT without input() takes no data; its FORMAT says nothing.
  if (hasSelect && inputAt === undefined) return { ...statement, dataStart: undefined }
  return { ...statement, dataStart: end }
}

function findInput(tokens: Token[]): Statement['inputAt'] {
  for (let i = 0; i + 3 < tokens.length; i += 1) {
    const [name, open, structure, close] = tokens.slice(i, i + 4) as [Token, Token, Token, Token]
    if (isWord(name, 'INPUT') && open.text === '(') {
      if (structure.kind === 'string' && close.text === ')') {
        return { start: name.start, end: close.end, structure: structure.text }
      }
      throw new ClickHouseError(
        48,
        'NOT_IMPLEMENTED',
        "input() needs its structure here: input('a UInt64, …')",
      )
    }
  }
  return undefined
}
