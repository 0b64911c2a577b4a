/** What passes between the rotation of wrapping keys and its activities: numbers and names of shards, never a key. */

export interface RotateKeysResult {
  /** Shards that got a new wrapping key. */
  shards: number
  /** Secrets sealed anew. */
  secrets: number
  /** Keys destroyed at the provider. */
  destroyedKeys: number
  /** When the last of them is beyond recall, ISO time; null when none was destroyed. */
  goneBy: string | null
}

export interface KeyActivities {
  /** Shards whose newest key is older than `before` (milliseconds since 1970). */
  listDueShards(input: { before: number }): Promise<{ shards: number[] }>
  /** Gives these shards new keys, unless they have one made since `before`, and destroys the old ones. May be repeated. */
  rotateShards(input: {
    shards: number[]
    before: number
  }): Promise<{ secrets: number; destroyedKeys: number; goneByMs: number }>
}

/** Days after which every wrapping key is replaced. */
export const ROTATION_DAYS = 90
