import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashLeaf } from '../../certificates/merkle-proof.ts'
import { createMerkleTree } from '../../certificates/merkle-tree.ts'
import { formatPublicKey } from '../../certificates/public-key.ts'
import { newTiles } from '../../certificates/tiles.ts'
import { parseTlogProof } from '../../certificates/tlog-proof.ts'
import { createLogger } from '../../runtime/logger.ts'
import { getObject } from '../../s3/get-object.ts'
import { createAppendLeaf } from '../../workers/verifier/append-leaf.ts'
import { createWitnessClient } from '../../workers/verifier/ask-witness.ts'
import { CHECKPOINT_KEY, certificateKey, proofKey, readEntries } from '../../workers/verifier/log-files.ts'
import { createLogWriter } from '../../workers/verifier/log-writer.ts'
import { openSigningKeys } from '../../workers/verifier/signing-keys.ts'
import { serveWitness, type WitnessServer } from '../../workers/witness/serve-witness.ts'
import { openWitnessKey } from '../../workers/witness/witness-key.ts'
import { openWitnessState } from '../../workers/witness/witness-state.ts'
import { createErasureWorld, type ErasureWorld } from '../erased-person.ts'
import { createStage, type Stage } from '../stage.ts'

const folder = fileURLToPath(new URL('../go/', import.meta.url))
const hasGo = spawnSync('go', ['version']).status === 0
const silent = createLogger('test', 'silent')
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

let stage: Stage
let world: ErasureWorld
let witness: WitnessServer

/** What Go is given: objects of the bucket as the verifier has written them, and public keys. */
let bundle: Record<string, unknown>
let size: number
let index: number

describe.skipIf(!hasGo)('Go reads what the verifier has issued for a person who was erased', () => {
  beforeAll(async () => {
    stage = await createStage({ environment: { EBB_SUPPRESS_S: '0', EBB_EVENTS_RETENTION_S: '1' } })
    world = await createErasureWorld(stage)
    const { config } = stage
    const keys = await openSigningKeys(config.verifier.folder, config.log.origin)
    const signer = await openWitnessKey(config.witness.folder, 'witness.example')
    witness = await serveWitness(
      { signer, watchedLogs: async () => [keys.log.key] },
      await openWitnessState(config.witness.folder),
      { host: '127.0.0.1', port: 0, nowSeconds: () => Math.floor(Date.now() / 1_000) },
    )
    world.verifier.deps.append = createAppendLeaf(
      createLogWriter({
        postgres: world.verifier.deps.postgres,
        postgresUrl: config.verifier.postgresUrl,
        s3: world.s3,
        folder: config.verifier.folder,
        origin: config.log.origin,
        witnesses: [createWitnessClient(`http://127.0.0.1:${witness.port}`, silent)],
        now: Date.now,
      }),
    )
    // Leaves beyond a bundle of 256, so that there are full tiles and partial ones.
    const append = world.verifier.deps.append
    await Promise.all(Array.from({ length: 300 }, () => append(arrival(config.log.origin))))
    const older = (await getObject(world.s3, 'log', CHECKPOINT_KEY))!.toString()

    const who = await world.person()
    const verifier = world.verify()
    await world.erase(who)
    await world.destroyKeys(who)
    const issued = await verifier.certify({ requestId: who.requestId, kind: 'certificate' })
    const certificate = (await getObject(world.s3, 'log', certificateKey(issued.digest)))!
    const proof = (await getObject(world.s3, 'log', proofKey(issued.digest)))!
    size = Number(parseTlogProof(proof).checkpoint.split('\n')[1])
    index = issued.logIndex
    const leaves = await readEntries(world.s3, size)
    const tree = createMerkleTree(leaves.map(hashLeaf))
    bundle = {
      logKey: formatPublicKey(keys.log.key),
      certificateKey: formatPublicKey(keys.certificates.at(-1)!.key),
      witnessKey: formatPublicKey(signer.key),
      certificate: base64(certificate),
      proof: base64(proof),
      older,
      consistency: tree.consistency(Number(older.split('\n')[1])).map(base64),
      leaves: leaves.map(base64),
      tiles: await storedTiles(newTiles(tree, 0).map(({ path }) => path)),
    }
    // The first run fetches and compiles, and says so.
    askGo()
  }, 300_000)

  afterAll(async () => {
    await witness?.close()
    await world?.close()
    await stage?.close()
  })

  test('and verifies certificate, inclusion, cosignature and consistency, and the tiles of the bucket', () => {
    const { error, output } = askGo()
    expect(error).toBe('')
    expect(output).toMatchObject({ size, index, consistency: true })
    expect(output!.tilesRead).toBeGreaterThan(2)
    expect(Math.abs(output!.cosignedAt - Date.now() / 1_000)).toBeLessThan(600)
  }, 300_000)

  test('and refuses it when a byte of what it says is another', () => {
    const text = Buffer.from(String(bundle.certificate), 'base64').toString()
    expect(text).toContain('"deleted"')
    const changed = base64(Buffer.from(text.replace('"deleted"', '"expired"')))
    expect(askGo({ certificate: changed })).toMatchObject({ status: 1 })
  }, 300_000)

  test('and refuses a proof whose root is not the one that the log has signed', () => {
    const leaves = [...(bundle.leaves as string[])]
    leaves[7] = base64(Buffer.from('somebody else'))
    expect(askGo({ leaves })).toMatchObject({ status: 1 })
  }, 300_000)
})

async function storedTiles(paths: readonly string[]): Promise<Record<string, string>> {
  const tiles: Record<string, string> = {}
  for (const path of paths) {
    const bytes = await getObject(world.s3, 'log', path)
    if (!bytes) throw new Error(`${path} is not in the bucket`)
    tiles[path] = base64(bytes)
  }
  return tiles
}

function arrival(origin: string): Parameters<typeof world.verifier.deps.append>[0] {
  const requestId = randomUUID()
  return {
    requestId,
    decide: () => ({
      version: 1,
      kind: 'received',
      origin,
      issuer: 'Test',
      tool: 'ebb/test',
      issuedAt: '2026-11-21T09:00:00Z',
      deadline: '2026-12-21T09:00:00Z',
      previous: null,
      request: requestId,
      app: 'shop',
      subject: [{ label: 'email', commitment: 'ab'.repeat(32) }],
    }),
  }
}

interface Answer {
  status: number | null
  error: string
  output?: { size: number; index: number; cosignedAt: number; tilesRead: number; consistency: boolean }
}

function askGo(changed: Record<string, unknown> = {}): Answer {
  const input = JSON.stringify({ ...bundle, ...changed })
  const run = spawnSync('go', ['run', '.'], { cwd: folder, input, encoding: 'utf8' })
  return {
    status: run.status,
    error: run.stderr,
    ...(run.status === 0 && { output: JSON.parse(run.stdout) as NonNullable<Answer['output']> }),
  }
}
