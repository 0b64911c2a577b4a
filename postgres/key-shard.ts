/** Subjects fall into this many shards; destroying one secret rewraps one shard, so a shard is kept small. */
export const KEY_SHARDS = 64

/** The shard that seals the apps' look-up keys. */
export const APP_SHARD = KEY_SHARDS

export const ALL_SHARDS: readonly number[] = Array.from({ length: KEY_SHARDS + 1 }, (_, shard) => shard)

/** Shard of a subject, by the first byte of its id (a random UUID in text). */
export function shardOf(subjectId: string): number {
  return Number.parseInt(subjectId.slice(0, 2), 16) % KEY_SHARDS
}

/** Name of the provider's key that wraps this version of a shard's key, and nothing else. */
export function providerKeyName(shard: number, keyVersion: number): string {
  return `shard-${shard}-v${keyVersion}`
}

/** What `providerKeyName` made; undefined for other names. */
export function parseProviderKeyName(name: string): { shard: number; keyVersion: number } | undefined {
  const match = /^shard-(\d+)-v(\d+)$/.exec(name)
  return match ? { shard: Number(match[1]), keyVersion: Number(match[2]) } : undefined
}

/** Bound into a wrapped shard key, so that it cannot be moved to another version. */
export function shardContext(shard: number, keyVersion: number): string {
  return `ebb key shard ${shard} version ${keyVersion}`
}

/** Bound into a sealed secret. */
export function subjectContext(subjectId: string): Buffer {
  return Buffer.from(subjectId.replaceAll('-', ''), 'hex')
}

/** Bound into a sealed look-up key. */
export function appContext(app: string): Buffer {
  return Buffer.from(`ebb app look-up key ${app}`)
}
