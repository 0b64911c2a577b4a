import { relative, sep } from 'node:path'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import type { Postgres } from '../../postgres/client.ts'
import type { FileFinding } from '../scan/scan-tree.ts'

/** Names the place of a file in words: `kafka events`, `clickhouse events_raw`, `postgres subjects`, `s3 archive (versions)`,
 * `s3 backups wal`. */
export type NamePlace = (file: string) => string

/** Reads which table lies in which folder or file now; files of tables that are gone keep their numbers. */
export async function readPlaceNames(
  home: string,
  clickhouse: ClickHouseClient,
  databases: readonly Postgres[],
): Promise<NamePlace> {
  const result = await clickhouse.query({
    query: "SELECT toString(uuid), name FROM system.tables WHERE database NOT IN ('system')",
    format: 'JSONCompactEachRow',
  })
  const tables = new Map((await result.json()) as [string, string][])
  const relations = new Map<string, string>()
  for (const database of databases) {
    const rows = await database.query<{ path: string; relname: string }>(
      'drill_relations',
      `SELECT pg_relation_filepath(oid) AS path, relname FROM pg_class WHERE pg_relation_filepath(oid) IS NOT NULL`,
      [],
    )
    for (const { path, relname } of rows) relations.set(path, relname)
  }
  const known = new Map<string, string>()
  return (file) => {
    const place = known.get(file) ?? describe(relative(home, file).split(sep), tables, relations)
    known.set(file, place)
    return place
  }
}

function describe(
  parts: readonly string[],
  tables: ReadonlyMap<string, string>,
  relations: ReadonlyMap<string, string>,
): string {
  const [engine = '', second = '', third = '', fourth = ''] = parts
  const isSpecial = parts.find(
    (part) => part === 'detached' || part === 'shadow' || /^mutation_\d+\.txt/.test(part),
  )
  // Bodies of inserts on their way wait in memory-backed files, outside of the home.
  if (parts.some((part) => /^ebb-clickhouse-\d+$/.test(part))) return 'clickhouse spool'
  switch (engine) {
    case 'kafka':
      return `kafka ${third.replace(/-\d+(\.[0-9a-f]+-(delete|stray|future))?$/, '$2')}`
    case 'clickhouse': {
      if (second !== 'store') return `clickhouse ${second}${isSpecial ? ` (${isSpecial})` : ''}`
      const name = tables.get(fourth) ?? `store of a dropped table`
      return `clickhouse ${name}${isSpecial ? ` (${isSpecial.replace(/\d+/, 'N')})` : ''}`
    }
    case 'postgres': {
      if (third === 'base') {
        const path = parts
          .slice(2, 5)
          .join('/')
          .replace(/ \(.*|[._].*$/, '')
        return `postgres ${relations.get(path) ?? 'file of a dropped relation'}`
      }
      return `postgres ${third}`
    }
    case 's3': {
      const bucket = `s3 ${third.replace(/ \(.*/, '')}`
      if (second === 'versions') return `${bucket} (versions)`
      return fourth === 'wal' ? `${bucket} wal` : bucket
    }
    default:
      return second && (engine === 'logs' || engine === 'reports') ? `${engine} ${second}` : engine
  }
}

/** Counts findings by place, way of writing and what was found; the most first. */
export function countByPlace(
  findings: readonly FileFinding[],
  placeOf: NamePlace,
  what: (finding: FileFinding) => string,
): string[] {
  const counts = new Map<string, number>()
  for (const finding of findings) {
    const how = [...finding.containers, finding.encoding].join('>')
    const line = `${placeOf(finding.file)}: ${what(finding)} (${how})`
    counts.set(line, (counts.get(line) ?? 0) + 1)
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([line, count]) => `${String(count).padStart(7)} ${line}`)
}
