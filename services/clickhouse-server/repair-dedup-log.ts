import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * MergeTree without replication writes the deduplication log line of a new part first and renames the part into place
 * after it. A process killed between the two leaves a line without rows: a retry of the insert then looks like a
 * duplicate, and its rows are gone for good. So, before the engine opens, lines whose block no part covers are dropped.
 *
 * This mends a killed process, not a power cut: the log and the parts are not fsynced.
 * @param dataPath the engine's folder. @returns how many lines were dropped.
 */
export function repairDedupLogs(dataPath: string): number {
  const store = join(dataPath, 'store')
  if (!existsSync(store)) return 0
  let dropped = 0
  for (const prefix of readdirSync(store)) {
    for (const table of readdirSync(join(store, prefix))) dropped += repairTable(join(store, prefix, table))
  }
  return dropped
}

function repairTable(folder: string): number {
  const logs = join(folder, 'deduplication_logs')
  if (!existsSync(logs)) return 0
  const parts = readdirSync(folder)
    .map(parsePart)
    .filter((part) => part !== undefined)
  let dropped = 0
  for (const name of readdirSync(logs)) {
    if (!/^deduplication_log_\d+\.txt$/.test(name)) continue
    const file = join(logs, name)
    const { text, dropped: count } = repairLog(readFileSync(file, 'utf8'), parts)
    if (count === 0) continue
    writeFileSync(`${file}.repaired`, text)
    renameSync(`${file}.repaired`, file)
    dropped += count
  }
  return dropped
}

interface Part {
  partition: string
  minBlock: number
  maxBlock: number
}

/** `202611_4_9_2` or `202611_4_9_2_15`: partition, first and last block, level, mutation. Others (tmp_…) are no parts. */
function parsePart(name: string): Part | undefined {
  const match = /^([^_]+)_(\d+)_(\d+)_\d+(_\d+)?$/.exec(name)
  if (match === null) return undefined
  return { partition: match[1]!, minBlock: Number(match[2]), maxBlock: Number(match[3]) }
}

/**
 * Drops added blocks that no part covers, and a last line that was cut short (the engine would refuse the table).
 * A line is `1 <part> <block id>` for an added block and `2 …` for a dropped one, with tabs.
 */
export function repairLog(text: string, parts: Part[]): { text: string; dropped: number } {
  const lines = text.split('\n')
  const rest = lines.pop()
  const kept = lines.filter((line) => {
    const [operation, name = ''] = line.split('\t')
    if (operation !== '1') return true
    const block = parsePart(name)
    if (block === undefined) return true
    return parts.some(
      (part) =>
        part.partition === block.partition &&
        part.minBlock <= block.minBlock &&
        block.maxBlock <= part.maxBlock,
    )
  })
  return {
    text: kept.map((line) => `${line}\n`).join(''),
    dropped: lines.length - kept.length + (rest === '' ? 0 : 1),
  }
}
