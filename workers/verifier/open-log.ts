import { hashLeaf } from '../../certificates/merkle-proof.ts'
import { createMerkleTree, type MerkleTree } from '../../certificates/merkle-tree.ts'
import { parseLeaf } from '../../certificates/read-certificate.ts'
import { EbbError } from '../../runtime/errors.ts'
import type { S3 } from '../../s3/client.ts'
import type { LogLeaf } from '../../schemas/certificate.ts'
import { type PublishedHead, readCheckpoint, readEntries } from './log-files.ts'
import { readSignedHead } from './signed-head.ts'
import type { SigningKeys } from './signing-keys.ts'

/** The log as its writer holds it: every entry, and the tree over them. 64 bytes a leaf and the entries' own. */
export interface OpenLog {
  entries: Buffer[]
  leaves: LogLeaf[]
  tree: MerkleTree
  /** What readers see; undefined before the first leaf. */
  published: PublishedHead | undefined
}

/**
 * Reads the log out of its bucket and holds it against all that remembers it: the checkpoint's own root, and the last
 * head that this verifier has signed. A head that was signed and not published yet counts: its tiles were written before.
 * O(n): at the start, and when another writer has appended.
 * @throws EbbError `log_forked`: something else stands there than was signed; nothing is appended any more
 */
export async function openLog(s3: S3, keys: SigningKeys, folder: string): Promise<OpenLog> {
  const published = await readCheckpoint(s3, keys.log.key)
  const signed = await readSignedHead(folder)
  const size = Math.max(published?.size ?? 0, signed?.size ?? 0)
  const entries = await readEntries(s3, size)
  const tree = createMerkleTree(entries.map(hashLeaf))
  if (published && !tree.head(published.size).root.equals(published.root)) {
    throw new EbbError(
      'log_forked',
      `the entries do not give the root of the checkpoint of ${published.size}`,
    )
  }
  if (signed && !tree.head(signed.size).root.equals(signed.root)) {
    throw new EbbError(
      'log_forked',
      `the entries do not give the root that was signed for size ${signed.size}`,
    )
  }
  return { entries, leaves: entries.map(readLeaf), tree, published }
}

function readLeaf(entry: Buffer): LogLeaf {
  try {
    return parseLeaf(entry)
  } catch {
    throw new EbbError('log_forked', 'an entry of the log is none of its leaves')
  }
}
