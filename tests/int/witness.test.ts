import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { formatAddCheckpoint } from '../../certificates/cosign.ts'
import { hashLeaf } from '../../certificates/merkle-proof.ts'
import { createMerkleTree, type MerkleTree } from '../../certificates/merkle-tree.ts'
import { formatPublicKey } from '../../certificates/public-key.ts'
import { signCheckpoint } from '../../certificates/sign-checkpoint.ts'
import { createLogger } from '../../runtime/logger.ts'
import { createWitnessClient } from '../../workers/verifier/ask-witness.ts'
import { serveWitness, type WitnessServer } from '../../workers/witness/serve-witness.ts'
import { openWitnessKey } from '../../workers/witness/witness-key.ts'
import { openWitnessState } from '../../workers/witness/witness-state.ts'
import { logSigner, START_SECONDS, testSigner } from '../vectors/sample-log.ts'

let folder: string
let server: WitnessServer
let url: string
const silent = createLogger('test', 'silent')

async function start(): Promise<void> {
  const signer = await openWitnessKey(folder, 'witness.example')
  const watching = { signer, watchedLogs: async () => [logSigner.key] }
  const options = { host: '127.0.0.1', port: 0, nowSeconds: () => START_SECONDS }
  server = await serveWitness(watching, await openWitnessState(folder), options)
  url = `http://127.0.0.1:${server.port}`
}
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-witness-'))
  await start()
})
afterEach(async () => {
  await server.close()
  await rm(folder, { recursive: true, force: true })
})

function treeOf(size: number, flavour = ''): MerkleTree {
  return createMerkleTree(Array.from({ length: size }, (_, at) => hashLeaf(Buffer.from(`${flavour}${at}`))))
}

const checkpointOf = (tree: MerkleTree, signer = logSigner) =>
  signCheckpoint(tree.head(), signer, START_SECONDS)

function post(tree: MerkleTree, oldSize: number, more: { checkpoint?: string; proof?: Buffer[] } = {}) {
  const proof = more.proof ?? tree.consistency(Math.min(oldSize, tree.size()))
  const body = formatAddCheckpoint({ oldSize, proof, checkpoint: more.checkpoint ?? checkpointOf(tree) })
  return fetch(`${url}/add-checkpoint`, { method: 'POST', body })
}

test('cosigns what extends its last head, and nothing else', async () => {
  expect((await post(treeOf(3), 0)).status).toBe(200)
  expect((await post(treeOf(7), 3)).status).toBe(200)
  const stale = await post(treeOf(9), 3)
  expect([stale.status, await stale.text(), stale.headers.get('content-type')]).toEqual([
    409,
    '7\n',
    'text/x.tlog.size',
  ])
  expect((await post(treeOf(7, 'fork '), 7, { proof: [] })).status).toBe(409)
  expect((await post(treeOf(9, 'fork '), 7)).status).toBe(422)
  expect((await post(treeOf(5), 7, { proof: [] })).status).toBe(400)
  expect((await post(treeOf(7), 7, { proof: [] })).status).toBe(200)
})

test('knows its logs, their signatures, and what is no request', async () => {
  const other = testSigner('log', 'other.example/log', 'other')
  const impostor = testSigner('log', logSigner.key.name, 'impostor')
  expect((await post(treeOf(2), 0, { checkpoint: checkpointOf(treeOf(2), other) })).status).toBe(404)
  expect((await post(treeOf(2), 0, { checkpoint: checkpointOf(treeOf(2), impostor) })).status).toBe(403)
  for (const body of ['', 'old x\n\n', 'old 0\n\nnot a note', 'x'.repeat(100_000)]) {
    const answer = await fetch(`${url}/add-checkpoint`, { method: 'POST', body }).catch(() => undefined)
    expect(answer?.status ?? 400).toBe(400)
  }
  expect((await fetch(`${url}/add-checkpoint`)).status).toBe(405)
  expect((await fetch(`${url}/else`)).status).toBe(404)
})

test('remembers over a restart, and ends rather than forget', async () => {
  expect((await post(treeOf(5), 0)).status).toBe(200)
  await server.close()
  await start()
  expect((await post(treeOf(6, 'fork '), 0)).status).toBe(409)
  await rm(join(folder, 'heads.json'))
  await import('node:fs/promises').then(({ writeFile }) => writeFile(join(folder, 'heads.json'), '{"a":'))
  await expect(openWitnessState(folder)).rejects.toMatchObject({ code: 'witness_state_unreadable' })
})

test('of two forks that come at the same moment it cosigns one', async () => {
  expect((await post(treeOf(4), 0)).status).toBe(200)
  const fork = createMerkleTree([
    ...Array.from({ length: 4 }, (_, at) => hashLeaf(Buffer.from(`${at}`))),
    hashLeaf(Buffer.from('another leaf')),
  ])
  const answers = await Promise.all([post(treeOf(5), 4), post(fork, 4)])
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
})

test('the log finds its way: after a restart of its own, and without a witness in bounded time', async () => {
  const key = (await readFile(join(folder, 'witness.pub'), 'utf8')).trim()
  const first = createWitnessClient(`${url}#${encodeURIComponent(key)}`, silent)
  expect(await first.cosign(checkpointOf(treeOf(3)), treeOf(3))).toMatch(/^— witness\.example /)
  const again = createWitnessClient(url, silent)
  expect(await again.cosign(checkpointOf(treeOf(8)), treeOf(8))).toMatch(/^— witness\.example /)
  // One whose key is another is not believed.
  const wrong = formatPublicKey(testSigner('witness', 'witness.example', randomUUID()).key)
  const cheated = createWitnessClient(`${url}#${encodeURIComponent(wrong)}`, silent)
  expect(await cheated.cosign(checkpointOf(treeOf(9)), treeOf(9))).toBeUndefined()
  // A log that was rolled back gets nothing.
  expect(await again.cosign(checkpointOf(treeOf(2)), treeOf(2))).toBeUndefined()
  await server.close()
  const started = performance.now()
  const away = createWitnessClient(url, silent)
  expect(await away.cosign(checkpointOf(treeOf(9)), treeOf(9))).toBeUndefined()
  expect(performance.now() - started).toBeLessThan(5_000)
  await start()
})
