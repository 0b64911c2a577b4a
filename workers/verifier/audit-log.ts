import { parseCanonicalJson } from '../../certificates/canonical-json.ts'
import { hashLeaf, rootOf } from '../../certificates/merkle-proof.ts'
import { createMerkleTree, type MerkleTree } from '../../certificates/merkle-tree.ts'
import { openCheckpoint } from '../../certificates/open-checkpoint.ts'
import { digestOf, leafOf, parseCertificate, parseLeaf } from '../../certificates/read-certificate.ts'
import { newEntryBundles, newTiles, type TileFile } from '../../certificates/tiles.ts'
import type { TrustedKeys } from '../../certificates/trusted-keys.ts'
import { verifyCertificate } from '../../certificates/verify-certificate.ts'
import type { Postgres } from '../../postgres/client.ts'
import type { EbbError } from '../../runtime/errors.ts'
import { inLanes } from '../../runtime/in-lanes.ts'
import type { S3 } from '../../s3/client.ts'
import { getObject } from '../../s3/get-object.ts'
import { listObjects } from '../../s3/list-objects.ts'
import type { LogLeaf } from '../../schemas/certificate.ts'
import { CHECKPOINT_KEY, certificateKey, LANES, proofKey, readEntries } from './log-files.ts'

export interface LogAudit {
  /** Leaves of the log. */
  size: number
  tiles: number
  certificates: number
  /** What is not as the leaves say, one sentence each; empty for a log that holds. */
  differences: string[]
}

/**
 * Derives the whole log again from its leaves, and compares all that was ever said of it: the checkpoint, every tile and
 * bundle, each certificate's file and proof, and the table of certificates. Needs the public keys only. O(n).
 */
export async function auditLog(deps: {
  s3: S3
  /** undefined: without the table. */
  postgres: Postgres | undefined
  keys: TrustedKeys
}): Promise<LogAudit> {
  const differences: string[] = []
  const head = await readHead(deps, differences)
  if (!head) return { size: 0, tiles: 0, certificates: 0, differences }
  const entries = await readEntries(deps.s3, head.size).catch((error: EbbError) => {
    differences.push(error.message)
    return [] as Buffer[]
  })
  if (entries.length < head.size) return { size: head.size, tiles: 0, certificates: 0, differences }
  const hashes = entries.map(hashLeaf)
  if (!rootOf(hashes).equals(head.root)) differences.push("the leaves do not give the checkpoint's root")
  const tiles = await compareTiles(deps.s3, entries, createMerkleTree(hashes), differences)
  const leaves = readLeaves(entries, differences)
  await compareCertificates(deps, leaves, differences)
  if (deps.postgres) await compareTable(deps.postgres, leaves, differences)
  return { size: head.size, tiles, certificates: leaves.size, differences }
}

async function readHead({ s3, postgres, keys }: Parameters<typeof auditLog>[0], differences: string[]) {
  const checkpoint = await getObject(s3, 'log', CHECKPOINT_KEY)
  if (checkpoint) {
    try {
      return openCheckpoint(checkpoint.toString(), keys.logs).head
    } catch {
      differences.push("the checkpoint is not signed by the log's key")
      return undefined
    }
  }
  const objects = await listObjects(s3, 'log', '')
  if (objects.length > 0) differences.push('there are objects and no checkpoint')
  if (postgres) await compareTable(postgres, new Map(), differences)
  return undefined
}

/** Every tile that the tree ever had at its present size; partial ones of earlier sizes are compared as far as they go. */
async function compareTiles(
  s3: S3,
  entries: readonly Buffer[],
  tree: MerkleTree,
  differences: string[],
): Promise<number> {
  const expected = tilesOf(entries, tree)
  await inLanes(expected, LANES, async ({ path, bytes }) => {
    const stored = await getObject(s3, 'log', path)
    if (!stored) differences.push(`${path} is missing`)
    else if (!stored.equals(bytes)) differences.push(`${path} is not what the leaves give`)
  })
  const known = new Map(expected.map(({ path, bytes }) => [path.replace(/\.p\/\d+$/, ''), bytes]))
  const others = (await listObjects(s3, 'log', 'tile/')).filter(({ key }) => /\.p\/\d+$/.test(key))
  await inLanes(others, LANES, async ({ key }) => {
    // A partial tile is the beginning of whatever its place holds now.
    const whole = known.get(key.replace(/\.p\/\d+$/, ''))
    const stored = await getObject(s3, 'log', key)
    if (stored && whole && !whole.subarray(0, stored.length).equals(stored)) {
      if (!differences.some((said) => said.startsWith(`${key} `))) {
        differences.push(`${key} is not what the leaves give`)
      }
    }
  })
  return expected.length
}

function tilesOf(entries: readonly Buffer[], tree: MerkleTree): TileFile[] {
  return [...newTiles(tree, 0), ...newEntryBundles((index) => entries[index]!, 0, entries.length)]
}

function readLeaves(entries: readonly Buffer[], differences: string[]): Map<number, LogLeaf> {
  const leaves = new Map<number, LogLeaf>()
  const seen = new Map<string, number>()
  for (const [index, entry] of entries.entries()) {
    try {
      const leaf = parseLeaf(entry)
      const before = seen.get(leaf.certificate)
      if (before !== undefined) differences.push(`leaf ${index} logs the certificate of leaf ${before} again`)
      seen.set(leaf.certificate, index)
      leaves.set(index, leaf)
    } catch {
      differences.push(`leaf ${index} is no leaf`)
    }
  }
  return leaves
}

async function compareCertificates(
  { s3, keys }: { s3: S3; keys: TrustedKeys },
  leaves: ReadonlyMap<number, LogLeaf>,
  differences: string[],
): Promise<void> {
  await inLanes([...leaves], LANES, async ([index, leaf]) => {
    const [bytes, proof] = await Promise.all([
      getObject(s3, 'log', certificateKey(leaf.certificate)),
      getObject(s3, 'log', proofKey(leaf.certificate)),
    ])
    if (!bytes) return void differences.push(`the certificate of leaf ${index} is missing`)
    if (!proof) return void differences.push(`the proof of leaf ${index} is missing`)
    if (digestOf(bytes) !== leaf.certificate) {
      return void differences.push(`the certificate of leaf ${index} is not the one that was logged`)
    }
    try {
      const said = leafOf(parseCertificate(parseCanonicalJson(bytes)), leaf.certificate)
      if (!parseLeafEquals(said, leaf)) differences.push(`leaf ${index} says other than its certificate`)
    } catch {
      differences.push(`the certificate of leaf ${index} cannot be read`)
    }
    const { ok, code } = verifyCertificate({ certificate: bytes, proof, keys, witnessQuorum: 0 })
    if (!ok) differences.push(`the certificate of leaf ${index} does not verify: ${code}`)
  })
}

function parseLeafEquals(bytes: Buffer, leaf: LogLeaf): boolean {
  return JSON.stringify(parseLeaf(bytes)) === JSON.stringify(leaf)
}

async function compareTable(
  postgres: Postgres,
  leaves: ReadonlyMap<number, LogLeaf>,
  differences: string[],
): Promise<void> {
  const rows = await postgres.query<{
    index: string
    digest: string
    sha: string
    kind: string
    out: boolean
  }>(
    'audit_certificates',
    `SELECT log_index::text AS index, digest, encode(sha256(file), 'hex') AS sha, kind, superseded AS out
     FROM certificates ORDER BY certificates.log_index`,
    [],
  )
  const withdrawn = new Set(
    [...leaves.values()].flatMap((leaf) => (leaf.kind === 'supersession' ? leaf.about : [])),
  )
  const present = new Set(rows.map((row) => Number(row.index)))
  for (const index of leaves.keys())
    if (!present.has(index)) differences.push(`the table lacks leaf ${index}`)
  for (const row of rows) {
    const leaf = leaves.get(Number(row.index))
    if (leaf?.certificate !== row.digest || leaf.kind !== row.kind) {
      differences.push(`the table has another certificate as leaf ${row.index} than the log`)
    } else if (row.sha !== row.digest) {
      differences.push(`the table's file of leaf ${row.index} is not the one that was logged`)
    } else if (row.out !== withdrawn.has(row.digest)) {
      differences.push(`the table says wrongly whether leaf ${row.index} was withdrawn`)
    }
  }
}
