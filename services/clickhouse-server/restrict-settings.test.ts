import { describe, expect, test } from 'vitest'
import { inlineParameters } from './inline-parameters.ts'
import { restrictSettings } from './restrict-settings.ts'
import { listUsers } from './users.ts'

const users = listUsers({ bi: 'b', verifier: 'v' })
const restrictAs = (name: string, settings: [string, string][]) =>
  restrictSettings({ settings }, users.find((user) => user.name === name)!.restriction!)
const restrict = (settings: [string, string][]) => restrictAs('bi', settings)

describe('settings of a restricted user', () => {
  test('end with the limits and with readonly', () => {
    const settings = restrict([['output_format_json_quote_64bit_integers', '0']])
    expect(settings[0]).toEqual(['output_format_json_quote_64bit_integers', '0'])
    expect(settings.at(-1)).toEqual(['readonly', '1'])
    expect(new Map(settings).get('max_execution_time')).toBe('30')
  })
  test('may lower a limit, not raise or lift it', () => {
    expect(new Map(restrict([['max_execution_time', '5']])).get('max_execution_time')).toBe('5')
    for (const value of ['31', '0', '-1', 'x', '']) {
      expect(() => restrict([['max_execution_time', value]])).toThrow(/SETTING_CONSTRAINT_VIOLATION/)
    }
  })
  test.each([
    'max_threads',
    'allow_ddl',
    'log_comment',
    'format_schema',
    'output_format_schema',
    'SQL_x',
    '',
  ])('%j is refused', (name) => {
    expect(() => restrict([[name, '1']])).toThrow(/READONLY/)
  })
  test('that say how rows lie on disk are the verifier’s alone', () => {
    const own: [string, string] = ['apply_deleted_mask', '0']
    expect(restrictAs('ebb_verifier', [own])[0]).toEqual(own)
    expect(() => restrict([own])).toThrow(/READONLY/)
    expect(() => restrictAs('ebb_verifier', [['s3_truncate_on_insert', '1']])).toThrow(/READONLY/)
  })
  test('that a client library always sends are taken and left out', () => {
    expect(
      restrict([
        ['readonly', '0'],
        ['wait_for_async_insert', '1'],
      ]),
    ).toEqual(restrict([]))
  })
})

describe('parameters of a restricted user', () => {
  test('become casts of quoted text', () => {
    const sql = "SELECT {a:UInt8}, '{b:String}', {c : Array(String)}"
    const values: [string, string][] = [
      ['a', "1'; DROP"],
      ['c', "['x\\'y']"],
    ]
    expect(inlineParameters(sql, values)).toBe(
      "SELECT CAST('1\\'; DROP' AS UInt8), '{b:String}', CAST('[\\'x\\\\\\'y\\']' AS Array(String))",
    )
  })
  test('of text are unescaped first, and \\N is NULL', () => {
    expect(
      inlineParameters('{a:String} {b:Nullable(String)}', [
        ['a', 'x\\ty'],
        ['b', '\\N'],
      ]),
    ).toBe("CAST('x\ty' AS String) CAST(NULL AS Nullable(String))")
  })
  test('leave maps alone', () => {
    expect(inlineParameters("SELECT {'a': 1}", [])).toBe("SELECT {'a': 1}")
  })
  test('without a value or with the type Identifier are refused', () => {
    expect(() => inlineParameters('{a:UInt8}', [])).toThrow(/456/)
    expect(() => inlineParameters('{a:Identifier}', [['a', 'ebb']])).toThrow(/497/)
  })
})
