import { readFile, writeFile } from 'node:fs/promises'
import { hashLeaf } from '../certificates/merkle-proof.ts'
import { createMerkleTree } from '../certificates/merkle-tree.ts'
import { openCheckpoint } from '../certificates/open-checkpoint.ts'
import { digestOf, parseLeaf } from '../certificates/read-certificate.ts'
import { formatTlogProof } from '../certificates/tlog-proof.ts'
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
 * anything has withdrawn it since. Needs the bucket `log` and public keys. O(n) of the log.
 * @throws EbbError `not_logged`, `checkpoint_unknown`
 */
export async function proveCertificate(s3: S3, keys: string, certificate: string): Promise<NewProof> {
  const digest = digestOf(await readFile(certificate))
  const checkpoint = (await getObject(s3, 'log', CHECKPOINT_KEY))?.toString()
  if (checkpoint === undefined) throw new EbbError('checkpoint_unknown', 'the log has no checkpoint yet')
  const { size } = openCheckpoint(checkpoint, parseTrustedKeys(keys).logs).head
  const entries = await readEntries(s3, size)
  const index = entries.findIndex((entry) => parseLeaf(entry).certificate === digest)
  if (index < 0) throw new EbbError('not_logged', 'the log has no leaf of this certificate')
  const hashes = createMerkleTree(entries.map(hashLeaf)).inclusion(index, size)
  const base = certificate.replace(/(\.json)?$/, '')
  const made = { index, size, proof: `${base}.tlog-proof`, leaves: `${base}.leaves` }
  const later = entries.slice(index + 1).map((entry) => `${entry.toString()}\n`)
  await writeFile(made.proof, formatTlogProof({ index, hashes, checkpoint }))
  await writeFile(made.leaves, later.join(''))
  return made
}
