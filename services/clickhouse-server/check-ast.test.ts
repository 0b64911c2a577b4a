import { describe, expect, test } from 'vitest'
import { checkAst, parseAst } from './check-ast.ts'
import { listUsers } from './users.ts'

const tableFunctions = new Set(['url', 's3', 'merge', 'remote', 'numbers', 'values', 'format'])

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

const users = listUsers({ bi: 'b', verifier: 'v' })
const restrictionOf = (name: string) => users.find((user) => user.name === name)!.restriction!
const checkAs = (name: string, lines: string[]) =>
  checkAst(parseAst(lines), tableFunctions, restrictionOf(name))
const check = (lines: string[]) => checkAs('bi', lines)

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

/** `s3(<arguments>)` as EXPLAIN AST prints it. */
const s3 = (...args: string[][]) =>
  ast(
    ['Asterisk'],
    ['Function s3 (children 1)', ' ExpressionList', ...args.flat().map((line) => `  ${line}`)],
  )
const pair = (key: string, value = "Literal 'x'") => [
  'Function equals (children 1)',
  ' ExpressionList (children 2)',
  `  Identifier ${key}`,
  `  ${value}`,
]
const collection = ['Identifier ebb_s3_t_1_archive']

describe('what the verifier may have analysed', () => {
  test.each([
    ['a table of a stage', ast(['Asterisk'], ['TableIdentifier t_1.events_raw'])],
    ['parts', ast(['Asterisk'], ['TableIdentifier system.parts'])],
    ['files of the archive', s3(collection, pair('filename'), pair('format'), pair('structure'))],
  ])('%s', (_, lines) => {
    expect(() => checkAs('ebb_verifier', lines)).not.toThrow()
    expect(() => check(lines)).toThrow(/ACCESS_DENIED/)
  })

  test.each([
    ['users', ast(['Asterisk'], ['TableIdentifier system.users'])],
    ['statements of others', ast(['Asterisk'], ['TableIdentifier ebb_restricted.q_1'])],
    ['views of the analysts', ast(['Asterisk'], ['TableIdentifier bi.days'])],
    ['backups', s3(['Identifier ebb_s3_t_1_backups'], pair('filename'))],
    ['a URL of its own', s3(["Literal 'http://x/'"], ["Literal 'CSV'"])],
    ['a URL in place of the collection’s', s3(collection, pair('url'))],
    ['keys of its own', s3(collection, pair('access_key_id'))],
    ['a name that is worked out', s3(collection, pair('filename', 'Function file (children 1)'))],
    ['s3() with nothing', s3()],
  ])('but not %s', (_, lines) => {
    expect(() => checkAs('ebb_verifier', lines)).toThrow(/ACCESS_DENIED/)
  })
})
