import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { analyseQuery } from './analyse-query.ts'
import { quoteString } from './quote-sql.ts'

describe('the statement', () => {
  test.each([
    ['SELECT 1', 'SELECT', undefined],
    ['  -- hi\n/* ; */ select 1 format JSON ;\n', 'SELECT', 'JSON'],
    ['(SELECT 1) FORMAT CSV SETTINGS max_threads = 1', 'SELECT', 'CSV'],
    ['SELECT format FROM t', 'SELECT', undefined],
    ["SELECT 'FORMAT JSON'", 'SELECT', undefined],
    ['SELECT (1 FORMAT x)', 'SELECT', undefined],
    ['SHOW TABLES FORMAT JSON', 'SHOW', 'JSON'],
    ['create table t (a String) engine = Memory', 'CREATE', undefined],
  ])('%j has verb %s and format %s', (sql, verb, format) => {
    expect(analyseQuery(sql)).toMatchObject({ verb, format, dataStart: undefined })
  })

  test.each([
    ['INSERT INTO t FORMAT CSV\n1;2', 'INSERT INTO t ', 'CSV', '\n1;2'],
    [
      'INSERT INTO t (a, `for;mat`) FORMAT RowBinary \x00;\'"',
      'INSERT INTO t (a, `for;mat`) ',
      'RowBinary',
      ' \x00;\'"',
    ],
    ["INSERT INTO t VALUES (1, ';')", 'INSERT INTO t ', 'Values', " (1, ';')"],
    ['insert into t format Values (1)', 'insert into t ', 'Values', ' (1)'],
    ['INSERT INTO t SETTINGS a = 1 FORMAT TSV\n', 'INSERT INTO t SETTINGS a = 1 ', 'TSV', '\n'],
    [
      "INSERT INTO FUNCTION null('a UInt8') FORMAT TSV\n1",
      "INSERT INTO FUNCTION null('a UInt8') ",
      'TSV',
      '\n1',
    ],
  ])('%j is parted from its data', (sql, statement, format, data) => {
    const found = analyseQuery(sql)
    expect(found).toMatchObject({ verb: 'INSERT', sql: statement, format })
    expect(sql.slice(found.dataStart)).toBe(data)
  })

  test('INSERT … SELECT FROM input() takes data, and says where input() stands', () => {
    const sql = "INSERT INTO t SELECT *, {p:UInt8} FROM input('a String') FORMAT RowBinary x"
    const found = analyseQuery(sql)
    expect(sql.slice(found.dataStart)).toBe(' x')
    expect(found.inputAt).toMatchObject({ structure: "'a String'" })
    expect(found.sql.slice(found.inputAt?.start, found.inputAt?.end)).toBe("input('a String')")
  })

  test('INSERT … SELECT from elsewhere takes none', () => {
    expect(analyseQuery('INSERT INTO t SELECT * FROM u').dataStart).toBeUndefined()
    expect(analyseQuery('INSERT INTO t SELECT * FROM u FORMAT TSV').dataStart).toBeUndefined()
  })

  test.each(['', ' ; ', 'SELECT 1; SELECT 2', "SELECT 'a", 'SELECT /* a', 'SELECT `a', 'SELECT $x$ a'])(
    '%j is refused',
    (sql) => {
      expect(() => analyseQuery(sql)).toThrow(/SYNTAX_ERROR/)
    },
  )

  test('whatever stands in a quoted string is never a second statement', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(analyseQuery(`SELECT ${quoteString(text)} FORMAT TSV`)).toMatchObject({
          verb: 'SELECT',
          format: 'TSV',
        })
      }),
    )
  })
})
