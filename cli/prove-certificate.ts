import { readFile, writeFile } from 'node:fs/promises'
import { CertificateError } from '../certificates/certificate-error.ts'
import type { Checkpoint } from '../certificates/checkpoint.ts'
import { hashLeaf } from '../certificates/merkle-proof.ts'
import { createMerkleTree } from '../certificates/merkle-tree.ts'
import { openCheckpoint } from '../certificates/open-checkpoint.ts'
import type { PublicKey } from '../certificates/public-key.ts'
import { digestOf, parseLeaf } from '../certificates/read-certificate.ts'
import { formatTlogProof, parseTlogProof } from '../certificates/tlog-proof.ts'
import { parseTrustedKeys } from '../certificates/trusted-keys.ts'
import { EbbError } from '../runtime/errors.ts'
import type { S3 } from '../s3/client.ts'
import { getObject } from '../s3/get-object.ts'
import { CHECKPOINT_KEY, readEntries } from '../workers/verifier/log-files.ts'

export interface NewProof {
  index: number
  size: number
  /** Files written beside the certificate. */
  proof: string
  leaves: string
}

/**
 * Proves a certificate under the log's newest head, and writes the entries behind it: with both, `ebb verify` says whether
 * anything has withdrawn it since. Needs the bucket `log` and public keys. O(n) of the log. Nothing is written unless the entries
 * give the head that was signed, and the one of the proof that lies there: a bucket that was rolled back takes no newer proof away.
 * @throws EbbError `not_logged`, `checkpoint_unknown`, `log_behind`, `log_forked`
 */
export async function proveCertificate(s3: S3, keys: string, certificate: string): Promise<NewProof> {
  const { logs } = parseTrustedKeys(keys)
  const digest = digestOf(await readFile(certificate))
  const base = certificate.replace(/(\.json)?$/, '')
  const files = { proof: `${base}.tlog-proof`, leaves: `${base}.leaves` }
  const checkpoint = (await getObject(s3, 'log', CHECKPOINT_KEY))?.toString()
  if (checkpoint === undefined) throw new EbbError('checkpoint_unknown', 'the log has no checkpoint yet')
  const { head } = openCheckpoint(checkpoint, logs)
  const proven = await readProven(files.proof, logs)
  if (proven && proven.size > head.size) {
    throw new EbbError(
      'log_behind',
      `the bucket ends at ${head.size}, the proof beside the certificate at ${proven.size}`,
    )
  }
  const entries = await readEntries(s3, head.size)
  const tree = createMerkleTree(entries.map(hashLeaf))
  for (const { size, root } of proven ? [head, proven] : [head]) {
    if (!tree.head(size).root.equals(root)) {
      throw new EbbError('log_forked', `the entries do not give the head that was signed at ${size}`)
    }
  }
  const index = entries.findIndex((entry) => parseLeaf(entry).certificate === digest)
  if (index < 0) throw new EbbError('not_logged', 'the log has no leaf of this certificate')
  const later = entries.slice(index + 1).map((entry) => `${entry.toString()}\n`)
  await writeFile(
    files.proof,
    formatTlogProof({ index, hashes: tree.inclusion(index, head.size), checkpoint }),
  )
  await writeFile(files.leaves, later.join(''))
  return { index, size: head.size, ...files }
}

/** The head of the proof that lies there; undefined for none, and for one that these keys do not open: it proves nothing. */
async function readProven(path: string, logs: readonly PublicKey[]): Promise<Checkpoint | undefined> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  if (!bytes) return undefined
  try {
    return openCheckpoint(parseTlogProof(bytes).checkpoint, logs).head
  } catch (error) {
    if (error instanceof CertificateError) return undefined
    throw error
  }
}
