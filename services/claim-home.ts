import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EbbError } from '../runtime/errors.ts'
import { commandLineOf, isAlive } from './process-table.ts'

/**
 * One starter a home: two would start engines on the same data.
 * @throws EbbError `home_in_use` naming the pid that holds it.
 */
export async function claimHome(home: string): Promise<() => Promise<void>> {
  const path = join(home, 'run', 'owner.json')
  await mkdir(join(home, 'run'), { recursive: true })
  const claim = JSON.stringify({ pid: process.pid, command: await commandLineOf(process.pid) })
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      await writeFile(path, claim, { flag: 'wx' })
      return () => rm(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = await readHolder(path)
    if (holder && isAlive(holder.pid) && (await commandLineOf(holder.pid)) === holder.command) {
      throw new EbbError(
        'home_in_use',
        `${home} is in use: Ebb runs there already (pid ${holder.pid}). Stop it with \`ebb down\`, or choose another folder by EBB_HOME.`,
      )
    }
    await rm(path, { force: true })
  }
  throw new EbbError('home_in_use', `${home} was claimed by another start at the same moment`)
}

async function readHolder(path: string): Promise<{ pid: number; command: string } | null> {
  return readFile(path, 'utf8').then(
    (text) => JSON.parse(text) as { pid: number; command: string },
    () => null,
  )
}
