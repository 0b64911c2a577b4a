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

/** Copies of secrets in raw bytes: whatever stands where a row of these subjects may hold one. */
export interface Stretch {
  subjectId: string
  bytes: Buffer
}

/** Looks through heap pages or write-ahead log: behind each place where a subject's id stands. */
export function findStretches(disk: Buffer, subjectIds: readonly string[]): Stretch[] {
  const found = new Map<string, Stretch>()
  for (const subjectId of subjectIds) {
    const id = idBytes(subjectId)
    for (let at = disk.indexOf(id); at >= 0; at = disk.indexOf(id, at + 1)) {
      for (let start = at + id.length; start < at + id.length + NEAR; start++) {
        const bytes = disk.subarray(start, start + SECRET_LENGTH)
        found.set(`${subjectId}${bytes.toString('latin1')}`, { subjectId, bytes })
      }
    }
  }
  return [...found.values()]
}

/** The subjects for whom a stretch opens. */
export function openStretches(shardKeys: readonly Buffer[], stretches: readonly Stretch[]): Set<string> {
  const opened = stretches.filter((one) => firstThatOpens(shardKeys, one.bytes, idBytes(one.subjectId)))
  return new Set(opened.map((one) => one.subjectId))
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
