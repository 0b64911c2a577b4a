import { describe, expect, test } from 'vitest'
import { checkAst, parseAst } from './check-ast.ts'

const tableFunctions = new Set(['url', 'merge', 'remote', 'numbers', 'values', 'format'])

/** The syntax tree of `SELECT <expression> FROM <source>`, as EXPLAIN AST prints it. */
function ast(expression: string[], source: string[] = []): string[] {
  return [
    'SelectWithUnionQuery (children 1)',
    ' ExpressionList (children 1)',
    '  SelectQuery (children 2)',
    '   ExpressionList (children 1)',
    ...expression.map((line) => `    ${line}`),
    '   TablesInSelectQuery (children 1)',
    '    TablesInSelectQueryElement (children 1)',
    '     TableExpression (children 1)',
    ...source.map((line) => `      ${line}`),
  ]
}

const check = (lines: string[]) => checkAst(parseAst(lines), tableFunctions)

describe('what bi may have analysed', () => {
  test.each([
    ['a table of bi', ast(['Asterisk'], ['TableIdentifier bi.days'])],
    ['a table of a stage', ast(['Asterisk'], ['TableIdentifier bi_t_1.days (alias d)'])],
    ['a name of the text itself', ast(['Asterisk'], ['TableIdentifier x'])],
    ['numbers()', ast(['Asterisk'], ['Function numbers (children 1)'])],
    ['an ordinary function', ast(['Function format (children 1)'])],
    ['a column of a table', ast(['Identifier days.n'])],
  ])('%s', (_, lines) => {
    expect(() => check(lines)).not.toThrow()
  })

  test.each([
    ['another database', ast(['Asterisk'], ['TableIdentifier ebb.events_raw'])],
    ['a database that only looks alike', ast(['Asterisk'], ['TableIdentifier bix.t'])],
    ['a table of the system', ast(['Asterisk'], ['TableIdentifier system.processes'])],
    ['a table function', ast(['Asterisk'], ['Function url (children 1)'])],
    ['an unknown table function', ast(['Asterisk'], ['Function tomorrow (children 1)'])],
    ['a file', ast(['Function FILE (alias x) (children 1)'])],
    [
      'a table function as an expression',
      ast([
        'Function in (children 1)',
        ' ExpressionList (children 2)',
        '  Literal 1',
        '  Function url (children 1)',
      ]),
    ],
    [
      'a table right of IN',
      ast([
        'Function notIn (children 1)',
        ' ExpressionList (children 2)',
        '  Identifier a',
        '  Identifier ebb.t',
      ]),
    ],
    ['settings', [...ast(['Asterisk']), '   Set']],
    [
      'APPLY',
      ast(['Asterisk (children 1)', ' ColumnsTransformerList (children 1)', '  ColumnsApplyTransformer']),
    ],
    ['INTO OUTFILE', [...ast(['Asterisk']), " Literal 'x'"]],
    ['no SELECT', ['ShowTables (children 1)', ' Identifier ebb']],
    ['nothing', []],
  ])('but not %s', (_, lines) => {
    expect(() => check(lines)).toThrow(/ACCESS_DENIED|READONLY/)
  })
})
