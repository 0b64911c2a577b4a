import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { EbbError } from '../runtime/errors.ts'

export interface Migration {
  version: number
  /** File name, `NNNN_name.sql`. */
  name: string
  /** SHA-256 of the file's text, in hex. */
  checksum: string
  /** Its statements, with placeholders filled in. */
  statements: string[]
}

export interface MigrationParameters {
  database: string
  biDatabase: string
  /** Name of the cluster: engines become Replicated ones and every statement runs ON CLUSTER. '' for one server. */
  cluster: string
}

/**
 * Splits a file into statements at semicolons that end a line. Comments that stand alone are left out; a semicolon inside
 * a text or comment must not end its line, which the migrations' test checks.
 */
export function splitStatements(text: string): string[] {
  const code = text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('--'))
    .join('\n')
  return code
    .split(/;[ \t]*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
}

/**
 * Fills in {db}, {bi}, {engine:Name}, {deduplicate:blocks}, {merges} and {on_cluster}.
 * @throws EbbError `bad_migration` on a placeholder that is none of these.
 */
export function fillPlaceholders(statement: string, parameters: MigrationParameters): string {
  const { cluster } = parameters
  return statement.replace(
    /\{([a-z_]+)(?::([\w()]+))?\}/g,
    (whole, name: string, argument: string | undefined) => {
      switch (name) {
        case 'db':
          return parameters.database
        case 'bi':
          return parameters.biDatabase
        case 'on_cluster':
          return cluster === '' ? '' : `ON CLUSTER '${cluster}'`
        case 'engine':
          // Without arguments a Replicated engine takes its path and replica from the server's defaults ({uuid}, {shard}).
          return cluster === '' ? `${argument}` : `Replicated${argument}`
        case 'deduplicate':
          // The replicated window also has an age, an hour: longer than any writer may pause, so the count of blocks rules.
          return cluster === ''
            ? `non_replicated_deduplication_window = ${argument}`
            : `replicated_deduplication_window = ${argument}, replicated_deduplication_window_seconds = 3600`
        case 'merges':
          return MERGE_SETTINGS
        default:
          throw new EbbError('bad_migration', `unknown placeholder ${whole}`)
      }
    },
  )
}

/**
 * Merges cost as much CPU as the inserts themselves when a cut of 10,000 rows makes a part in five tables: a wider fan-in
 * (12 parts instead of 5) took 26 % off the whole at ten cuts a second. Column statistics serve no query of ours.
 */
const MERGE_SETTINGS = "merge_selector_base = 12, auto_statistics_types = ''"

/** Reads the numbered files in order. @throws EbbError `bad_migration` when numbers are missing or double. */
export async function readMigrations(folder: URL, parameters: MigrationParameters): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async (name, index) => {
      const version = Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1])
      if (version !== index + 1)
        throw new EbbError('bad_migration', `${name} should have number ${index + 1}`)
      const text = await readFile(new URL(name, folder), 'utf8')
      return {
        version,
        name,
        checksum: createHash('sha256').update(text).digest('hex'),
        statements: splitStatements(text).map((statement) => fillPlaceholders(statement, parameters)),
      }
    }),
  )
}
