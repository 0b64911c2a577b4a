export type KeyProviderErrorCode =
  | 'key_file_exposed'
  | 'key_file_unreadable'
  | 'key_file_invalid'
  | 'key_file_busy'
  | 'key_provider_unavailable'
  | 'key_missing'
  | 'key_unwrap_failed'

export interface ListedKey {
  name: string
  /** null: in use. Else destroyed, and beyond recall from then on (milliseconds since 1970). */
  goneByMs: number | null
}

/**
 * Keeps wrapping keys, each under a name, and never hands one out: a file here, a KMS behind the same calls. Destroying a
 * key makes all that it wrapped unreadable, wherever copies of it lie: this is how Ebb destroys secrets.
 */
export interface KeyProvider {
  /** Makes a key of that name, on disk when this resolves; one that is there stays as it is. */
  createKey(name: string): Promise<void>
  /** @param context says what is wrapped; the same one must be given to unwrap. @throws EbbError `key_missing` */
  wrap(name: string, key: Buffer, context: string): Promise<Buffer>
  /**
   * @throws EbbError `key_missing` when no key of that name is there (any more), `key_unwrap_failed` when another key or
   * another context sealed it.
   */
  unwrap(name: string, wrapped: Buffer, context: string): Promise<Buffer>
  /**
   * Destroys a key; one that is gone stays gone. Nothing can be wrapped or unwrapped under it from now on.
   * @returns when it is beyond recall: now, or the end of the provider's waiting period.
   */
  destroyKey(name: string): Promise<{ goneByMs: number }>
  /** All keys, also those that are destroyed and can still be recalled. */
  listKeys(): Promise<ListedKey[]>
}

/** What the verifier may ask of one: it makes, wraps and destroys nothing. */
export type KeyReader = Pick<KeyProvider, 'unwrap' | 'listKeys'>
