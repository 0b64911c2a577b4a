import { lstat, open, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { joinPages } from './pages.ts'
import { readAttributes } from './read-attributes.ts'
import type { Finding, Scanner } from './scanner.ts'

export interface FileFinding extends Finding {
  file: string
}

export interface TreeScan {
  files: number
  bytes: number
  findings: FileFinding[]
  /** Gone before they could be read, as the engines go on. */
  vanished: number
}

/** Files are read in windows; they overlap by what a compressed block has at most. */
const WINDOW_BYTES = 96 * 1024 * 1024
const OVERLAP_BYTES = 4 * 1024 * 1024
/** A file without a block on the disk, as Kafka sets aside for an index, holds zeros only, unless it is tiny. */
const INLINE_BYTES = 65_536

/**
 * Scans every file below the folders: name, target of a link, extended attributes, content.
 * @throws what the file system says of a file that is there and cannot be read: an unread file is no clean one.
 */
export async function scanTree(scanner: Scanner, folders: readonly string[]): Promise<TreeScan> {
  const result: TreeScan = { files: 0, bytes: 0, findings: [], vanished: 0 }
  for (const folder of folders) {
    const attributes = await readAttributes(folder)
    await addFindings(result, `${folder} (attributes)`, scanner, attributes)
    await scanFolder(scanner, folder, result)
  }
  return result
}

async function addFindings(
  result: TreeScan,
  file: string,
  scanner: Scanner,
  bytes: Buffer,
  container?: string,
): Promise<void> {
  if (bytes.length < 8) return
  for (const finding of await scanner.scan(bytes)) {
    const containers = container ? [container, ...finding.containers] : finding.containers
    result.findings.push({ ...finding, containers, file })
  }
}

async function scanFolder(scanner: Scanner, folder: string, result: TreeScan): Promise<void> {
  const entries = await unlessGone(readdir(folder, { withFileTypes: true }), result)
  for (const entry of entries ?? []) {
    const path = join(folder, entry.name)
    await addFindings(result, `${path} (name)`, scanner, Buffer.from(entry.name))
    if (entry.isDirectory()) await scanFolder(scanner, path, result)
    else if (entry.isSymbolicLink()) {
      const target = await unlessGone(readlink(path), result)
      await addFindings(result, `${path} (link)`, scanner, Buffer.from(target ?? ''))
    } else if (entry.isFile()) await unlessGone(scanFile(scanner, path, result), result)
  }
}

async function scanFile(scanner: Scanner, path: string, result: TreeScan): Promise<void> {
  const { size, blocks } = await lstat(path)
  result.files++
  if (blocks === 0 && size > INLINE_BYTES) return
  const handle = await open(path, 'r')
  try {
    for (let from = 0; from === 0 || from + OVERLAP_BYTES < size; from += WINDOW_BYTES - OVERLAP_BYTES) {
      const window = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, size - from))
      const { bytesRead } = await handle.read(window, 0, window.length, from)
      const data = window.subarray(0, bytesRead)
      result.bytes += bytesRead
      await addFindings(result, path, scanner, data)
      for (const { name, bytes } of joinPages(data)) {
        await addFindings(result, path, scanner, bytes, name)
      }
    }
  } finally {
    await handle.close()
  }
}

async function unlessGone<T>(promise: Promise<T>, result: TreeScan): Promise<T | undefined> {
  try {
    return await promise
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    result.vanished++
    return undefined
  }
}
