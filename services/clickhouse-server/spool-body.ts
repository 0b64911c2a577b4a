import { execFileSync } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { isLeftOut } from '../../runtime/left-out-purge.ts'
import { ClickHouseError } from './map-error.ts'

export interface Spool {
  /** Writes bytes into a file of its own and returns its path. An aborted source leaves nothing behind. */
  write(source: AsyncIterable<Buffer>): Promise<string>
  remove(path: string): void
  /** A named pipe for one result at a time; give it back with `releasePipe`. */
  takePipe(): string
  releasePipe(path: string): void
  /** A path for a result file that does not exist yet. */
  resultPath(): string
  close(): void
}

/** Largest body, as it came (packed or not): it waits in memory. */
const MAX_BODY_BYTES = 1 << 30
const PREFIX = 'ebb-clickhouse-'

/**
 * Bodies wait in memory-backed files until they are complete: the engine cuts inlined data at the first blank line, and
 * an insert that starts before the last byte is here could be half done when the client goes away.
 * The folder is private (0700, files 0600) and named by the process; folders of killed servers are cleared at the start.
 */
export function createSpool(pipes: number): Spool {
  const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  clearDead(base)
  const folder = join(base, `${PREFIX}${process.pid}`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { mode: 0o700 })
  const free = Array.from({ length: pipes }, (_, n) => join(folder, `pipe-${n}`))
  execFileSync('mkfifo', ['-m', '600', ...free])
  let count = 0
  const remove = (path: string) => {
    if (!isLeftOut('spool')) rmSync(path, { force: true })
  }
  return {
    remove,
    async write(source) {
      count += 1
      const path = join(folder, `body-${count}`)
      try {
        await pipeline(
          source,
          bounded,
          createWriteStream(path, { mode: 0o600, flags: 'wx', highWaterMark: 1 << 20 }),
        )
      } catch (error) {
        remove(path)
        throw error
      }
      return path
    },
    takePipe: () => free.pop() ?? fail(),
    releasePipe: (path) => {
      free.push(path)
    },
    resultPath() {
      count += 1
      return join(folder, `result-${count}`)
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  }
}

async function* bounded(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let size = 0
  for await (const chunk of source) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) {
      throw new ClickHouseError(
        229,
        'QUERY_IS_TOO_LARGE',
        `The body is larger than ${MAX_BODY_BYTES} bytes: send it in parts`,
      )
    }
    yield chunk
  }
}

function fail(): never {
  throw new Error('more results at once than pipes')
}

function clearDead(base: string): void {
  for (const name of readdirSync(base)) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : Number.NaN
    if (Number.isInteger(pid) && !isAlive(pid)) rmSync(join(base, name), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
