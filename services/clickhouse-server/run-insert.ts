import { faultPoint } from '../../runtime/fault.ts'
import type { Statement } from './analyse-query.ts'
import type { Connection, Engine, Figures } from './engine.ts'
import { ClickHouseError } from './map-error.ts'
import type { QueryRequest } from './parse-request.ts'
import { quoteString } from './quote-sql.ts'

/**
 * Inserts a spooled body. Every client of the engine may use `input()`; the engine has it only for data sent inline,
 * so here it becomes `file()` on the spooled body, which reads the same rows.
 * @throws ClickHouseError 159 when the request's insert deadline has passed.
 */
export async function runInsert(
  engine: Engine,
  connection: Connection,
  request: QueryRequest,
  statement: Statement,
  before: string,
  bodyPath: string,
): Promise<Figures> {
  const format = statement.format ?? request.defaultFormat
  const sql = before + insertText(statement, format, bodyPath, request.inputCompression || 'none')
  const late = request.insertDeadline === undefined ? -1 : Date.now() - request.insertDeadline
  // NaN, an unreadable deadline, refuses too: who sets one must be able to rely on it.
  if (!(late < 0)) {
    throw new ClickHouseError(
      159,
      'TIMEOUT_EXCEEDED',
      `Insert refused: its deadline (X-Ebb-Insert-Deadline) passed ${late} ms ago; nothing was written`,
    )
  }
  faultPoint('clickhouse.before-insert')
  const figures = await engine.insert(connection, sql)
  faultPoint('clickhouse.after-insert-before-answer')
  return figures
}

function insertText(statement: Statement, format: string, path: string, compression: string): string {
  const { sql, inputAt } = statement
  const name = `'${path}'`
  if (inputAt === undefined) {
    const settings = topLevelSettings(statement)
    const target = settings === undefined ? sql : sql.slice(0, settings)
    const clause = settings === undefined ? '' : sql.slice(settings)
    return `${target} FROM INFILE ${name} COMPRESSION '${compression}' ${clause} FORMAT ${format}`
  }
  const source = `file(${name}, ${quoteString(format)}, ${inputAt.structure}, '${compression}')`
  return `${sql.slice(0, inputAt.start)}${source}${sql.slice(inputAt.end)}`
}

/** SETTINGS stands after INFILE in the grammar, before FORMAT in what clients send. */
function topLevelSettings(statement: Statement): number | undefined {
  return statement.tokens.find((token) => token.depth === 0 && /^settings$/i.test(token.text))?.start
}
