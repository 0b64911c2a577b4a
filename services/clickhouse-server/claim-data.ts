import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EbbError } from '../../runtime/errors.ts'
import { commandLineOf, isAlive } from '../process-table.ts'

/**
 * Makes this process the only one that touches a data folder. The engine has a lock of its own, but takes it after the
 * deduplication logs must have been repaired, and repairing them under a running server would lose its lines.
 * @returns a function that gives the folder back. @throws EbbError `data_in_use` naming the process that holds it.
 */
export async function claimData(dataPath: string): Promise<() => void> {
  const folder = join(dataPath, 'ebb-config')
  const path = join(folder, 'server.json')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const claim = JSON.stringify({ pid: process.pid, command: await commandLineOf(process.pid) })
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      writeFileSync(path, claim, { flag: 'wx', mode: 0o600 })
      return () => rmSync(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = readHolder(path)
    if (holder !== undefined && isAlive(holder.pid) && (await commandLineOf(holder.pid)) === holder.command) {
      throw new EbbError(
        'data_in_use',
        `${dataPath} is in use: a ClickHouse server (pid ${holder.pid}) serves it already`,
      )
    }
    rmSync(path, { force: true })
  }
  throw new EbbError('data_in_use', `${dataPath} was claimed by another server at the same moment`)
}

function readHolder(path: string): { pid: number; command: string } | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as { pid: number; command: string }
  } catch {
    return undefined
  }
}
