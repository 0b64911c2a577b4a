import { ClickHouseError } from './map-error.ts'
import type { Restriction } from './users.ts'

/** System tables that a real server shows to everyone, or filters by grants. */
const OPEN_SYSTEM_TABLES = new Set([
  'one',
  'numbers',
  'numbers_mt',
  'zeros',
  'zeros_mt',
  'tables',
  'columns',
  'databases',
  'functions',
  'table_functions',
  'aggregate_function_combinators',
  'data_type_families',
  'formats',
  'settings',
  'time_zones',
  'table_engines',
  'keywords',
  'collations',
  'build_options',
  'contributors',
  'licenses',
])

/** Table functions that make rows out of nothing or of a sub-select. */
const OPEN_TABLE_FUNCTIONS = new Set([
  'numbers',
  'numbers_mt',
  'zeros',
  'zeros_mt',
  'generate_series',
  'generateseries',
  'values',
  'view',
  'primes',
])

/** Both a table function and a harmless scalar one. */
const ALSO_SCALAR = new Set(['format', 'null', 'values', 'view', ...OPEN_TABLE_FUNCTIONS])

/**
 * Functions that read files, dictionaries, other tables, the server or the network by themselves: ClickHouse's grants do
 * not stop all of them in a definer view, which is analysed by an administrator.
 */
const CLOSED_FUNCTIONS =
  /^(__.*|file|eval|dict.*|joinget.*|catboost.*|evalmlmethod|naivebayes.*|ai[a-z]+|region.*|filesystem.*|addressto.*|demangle|get(macro|serversetting|mergetreesetting|serverport|setting|settingordefault|clienthttpheader|oskernelversion)|has(columnintable|threadfuzzer)|logtrace|showcertificate|tcpport|serveruuid|zookeeper.*|transaction.*|generateserialid|iceberg.*|fuzzquery|runningconcurrency|timeseries(storetags|idtotags.*|copytag.*)|sleep|sleepeachrow|initializeaggregation|getmaxtablenamelengthfordatabase)$/

export interface AstNode {
  depth: number
  kind: string
  name: string
  parent: AstNode | undefined
}

/** Reads the lines of `EXPLAIN AST`: indentation is depth. */
export function parseAst(lines: string[]): AstNode[] {
  const path: AstNode[] = []
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const depth = line.length - line.trimStart().length
      const [kind = '', ...rest] = line.trimStart().split(' ')
      const name = rest
        .join(' ')
        .replace(/ ?\((alias .*|children \d+\))$/s, '')
        .replace(/ \(alias .*$/s, '')
      const node = { depth, kind, name: name.startsWith('(') ? '' : name, parent: path[depth - 1] }
      path[depth] = node
      path.length = depth + 1
      return node
    })
}

const denied = (what: string) => new ClickHouseError(497, 'ACCESS_DENIED', `Not enough privileges: ${what}`)

/**
 * Says no to what a restricted user may not even have analysed. The tables themselves are left to ClickHouse's grants;
 * this refuses whatever those do not cover, and names of databases that such a user should not learn about.
 * @param tableFunctions names of all table functions of the engine, lower case.
 * @throws ClickHouseError 497 or 164.
 */
export function checkAst(nodes: AstNode[], tableFunctions: Set<string>, restriction: Restriction): void {
  if (nodes[0]?.kind !== 'SelectWithUnionQuery') throw denied('only SELECT is allowed')
  for (const node of nodes) {
    if (node.depth === 1 && node.kind !== 'ExpressionList')
      throw denied('INTO OUTFILE and FORMAT are not allowed here')
    if (node.kind === 'Set')
      throw new ClickHouseError(
        164,
        'READONLY',
        'Cannot modify settings in the text of a query in readonly mode',
      )
    if (node.kind === 'ColumnsApplyTransformer') throw denied('APPLY is not allowed')
    if (node.kind === 'TableIdentifier') checkTable(node.name, restriction)
    if (node.kind === 'Identifier' && isRightOfIn(node, nodes)) checkTable(node.name, restriction)
    if (node.kind === 'Function') checkFunction(node, nodes, tableFunctions, restriction)
  }
}

function checkTable(name: string, { opens, systemTables }: Restriction): void {
  const dot = name.indexOf('.')
  if (dot < 0) return
  const database = name.slice(0, dot)
  const table = name.slice(dot + 1)
  if (opens(database)) return
  if (database === 'system' && (OPEN_SYSTEM_TABLES.has(table) || systemTables.has(table))) return
  if (/^information_schema$/i.test(database)) return
  throw denied(`to execute this query, it's necessary to have the grant SELECT ON ${name}`)
}

function checkFunction(
  node: AstNode,
  nodes: AstNode[],
  tableFunctions: Set<string>,
  { opens, collections }: Restriction,
): void {
  const name = node.name.toLowerCase()
  if (node.parent?.kind === 'TableExpression') {
    const dot = name.indexOf('.')
    if (OPEN_TABLE_FUNCTIONS.has(name) || (dot > 0 && opens(name.slice(0, dot)))) return
    if (name === 's3' && collections && readsCollection(node, nodes, collections)) return
    throw denied(`table function ${node.name} is not allowed`)
  }
  // `x IN url(…)` reads a table function where a scalar one would stand.
  if (CLOSED_FUNCTIONS.test(name) || (tableFunctions.has(name) && !ALSO_SCALAR.has(name))) {
    throw denied(`function ${node.name} is not allowed`)
  }
}

/** `s3(collection, key = 'literal' …)`: no URL or keys of the reader's own, and nothing to work out before grants are looked at. */
function readsCollection(call: AstNode, nodes: AstNode[], collections: RegExp): boolean {
  const childrenOf = (parent: AstNode) => nodes.filter((other) => other.parent === parent)
  const listOf = (fn: AstNode) => childrenOf(fn).flatMap(childrenOf)
  const [collection, ...keys] = listOf(call)
  if (collection?.kind !== 'Identifier' || !collections.test(collection.name)) return false
  return keys.every((pair) => {
    const [key, value] = listOf(pair)
    const isPair = pair.kind === 'Function' && pair.name === 'equals'
    return isPair && /^(filename|format|structure)$/.test(key?.name ?? '') && value?.kind === 'Literal'
  })
}

/** `a IN db.t` names a table, but the syntax tree calls it an identifier. */
function isRightOfIn(node: AstNode, nodes: AstNode[]): boolean {
  const call = node.parent?.kind === 'ExpressionList' ? node.parent.parent : undefined
  if (call?.kind !== 'Function' || !/in(ignoreset)?$/i.test(call.name)) return false
  const siblings = nodes.filter((other) => other.parent === node.parent)
  return (
    siblings.length === 2 && siblings[1] === node && /^(global)?(not)?(null)?in(ignoreset)?$/i.test(call.name)
  )
}
