import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

export interface PartSpreader {
  /** Looks soon for tables that are new since the last look; calls until then are one. Never fails. */
  spread(): void
}

/** A migration makes tables by the dozen, and forking this process for each costs as much CPU as making it. */
const GATHER_MS = 500

/**
 * Asks ext4 to spread each table's parts over the disk's block groups (`chattr +T`: a part is the top of a hierarchy of its
 * own). Without a journal, ext4 passes over every inode that was freed within the last minutes, one by one, each time it makes
 * a file, and as a rule it stays in the folder's group. Some hundred files a second come and go with the parts: after a minute a
 * third of the server's CPU went into finding a free inode, and inserts waited for seconds.
 * Other file systems have no such flag and no such need: what they answer is not looked at.
 */
export function createPartSpreader(dataPath: string): PartSpreader {
  const done = new Set<string>()
  let isDue = false
  const look = async () => {
    isDue = false
    const fresh = (await listTableFolders(dataPath)).filter((folder) => !done.has(folder))
    for (const folder of fresh) done.add(folder)
    if (fresh.length > 0) execFile('chattr', ['+T', ...fresh], () => undefined)
  }
  return {
    spread() {
      if (isDue) return
      isDue = true
      setTimeout(look, GATHER_MS).unref()
    },
  }
}

/** `store/<three digits>/<uuid>` is where the engine keeps a table's parts. */
async function listTableFolders(dataPath: string): Promise<string[]> {
  const store = join(dataPath, 'store')
  const groups = await readdir(store).catch(() => [])
  const tables = await Promise.all(
    groups.map(async (group) => {
      const names = await readdir(join(store, group)).catch(() => [])
      return names.map((name) => join(store, group, name))
    }),
  )
  return tables.flat()
}
