import { unseal } from '../postgres/seal.ts'

/** One version of a shard, as a copy of the table shows it. */
export interface CopiedVersion {
  shard: number
  key_version: number
  wrapped: Buffer
}

export interface CopiedSecret {
  subject_id: string
  shard: number
  key_version: number
  wrapped: Buffer
}

/**
 * Someone with a key file and with copies of the keyring's rows from whatever time. Uses nothing of the keyring's code but
 * the cipher, and tries every key on every wrapped version, so that a name in the wrong place does not save us.
 * @returns the shard keys that open.
 */
export function openVersions(keyFile: string, versions: readonly CopiedVersion[]): Buffer[] {
  const file = JSON.parse(keyFile) as { keys: Record<string, string> }
  const keys = Object.values(file.keys).map((key) => Buffer.from(key, 'base64'))
  const opened = versions.flatMap((version) => {
    const context = Buffer.from(`ebb key shard ${version.shard} version ${version.key_version}`)
    return firstThatOpens(keys, version.wrapped, context)?.toString('hex') ?? []
  })
  return [...new Set(opened)].map((key) => Buffer.from(key, 'hex'))
}

/** The secrets that these shard keys open, by subject id. */
export function openSecrets(
  shardKeys: readonly Buffer[],
  secrets: readonly CopiedSecret[],
): Map<string, Buffer> {
  const found = new Map<string, Buffer>()
  for (const secret of secrets) {
    const opened = firstThatOpens(shardKeys, secret.wrapped, idBytes(secret.subject_id))
    if (opened) found.set(secret.subject_id, opened)
  }
  return found
}

/**
 * The same with raw bytes instead of rows (heap pages, write-ahead log): wherever a subject's id stands, every stretch of a
 * wrapped secret's length behind it is tried.
 * @returns the subjects for whom one opens.
 */
export function openInBytes(
  shardKeys: readonly Buffer[],
  bytes: Buffer,
  subjectIds: readonly string[],
): Set<string> {
  const found = new Set<string>()
  for (const subjectId of subjectIds) {
    const id = idBytes(subjectId)
    for (let at = bytes.indexOf(id); at >= 0; at = bytes.indexOf(id, at + 1)) {
      for (let start = at + id.length; start < at + id.length + NEAR; start++) {
        const stretch = bytes.subarray(start, start + SECRET_LENGTH)
        if (firstThatOpens(shardKeys, stretch, id)) found.add(subjectId)
      }
    }
  }
  return found
}

function idBytes(subjectId: string): Buffer {
  return Buffer.from(subjectId.replaceAll('-', ''), 'hex')
}

/** Nonce, 32 bytes, tag. */
const SECRET_LENGTH = 60
/** Between a row's id and its wrapped secret: shard, version, and a length of one to four bytes. */
const NEAR = 24

function firstThatOpens(keys: readonly Buffer[], sealed: Buffer, context: Buffer): Buffer | undefined {
  if (sealed.length < 28) return undefined
  for (const key of keys) {
    try {
      return unseal(key, sealed, context)
    } catch {}
  }
  return undefined
}
