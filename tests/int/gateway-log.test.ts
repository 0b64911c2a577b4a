import { request } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hashLeaf } from '../../certificates/merkle-proof.ts'
import { createMerkleTree } from '../../certificates/merkle-tree.ts'
import { openCheckpoint } from '../../certificates/open-checkpoint.ts'
import { decodeBundle, newEntryBundles, newTiles } from '../../certificates/tiles.ts'
import { createS3, type S3 } from '../../s3/client.ts'
import { getObject } from '../../s3/get-object.ts'
import { putObject } from '../../s3/put-object.ts'
import { writeTiles } from '../../workers/verifier/log-files.ts'
import { createGatewayStage, type GatewayStage } from '../gateway-stage.ts'
import { createSampleLog, logSigner } from '../vectors/sample-log.ts'

const SIZE = 600
let gateway: GatewayStage
let s3: S3
beforeAll(async () => {
  gateway = await createGatewayStage({ deps: { readLogFile: (key) => getObject(s3, 'log', key) } })
  s3 = createS3(gateway.stage.config)
  const { tree, entries, checkpoint } = createSampleLog(SIZE)
  await writeTiles(s3, [...newTiles(tree, 0), ...newEntryBundles((index) => entries[index]!, 0, SIZE)])
  await putObject(s3, 'log', 'checkpoint', checkpoint())
  await putObject(s3, 'log', 'head.json', '{}')
})
afterAll(async () => {
  s3?.close()
  await gateway?.close()
})

const fetchTile = (path: string) => fetch(`${gateway.url}/v1/log/tile/${path}`)
const bytesOf = async (path: string) => Buffer.from(await (await fetchTile(path)).arrayBuffer())

test('Whoever reads the tiles, without a token, derives the head that the log has signed', async () => {
  const text = await (await fetch(`${gateway.url}/v1/log/checkpoint`)).text()
  const { head } = openCheckpoint(text, [logSigner.key])
  expect(head.size).toBe(SIZE)
  const bundles = await Promise.all(['000', '001', '002.p/88'].map((path) => bytesOf(`entries/${path}`)))
  const entries = bundles.flatMap(decodeBundle)
  const tree = createMerkleTree(entries.map(hashLeaf))
  expect(head).toMatchObject(tree.head())
  expect(await bytesOf('0/000')).toEqual(Buffer.concat(entries.slice(0, 256).map(hashLeaf)))
  expect(await bytesOf('1/000.p/2')).toEqual(Buffer.concat([tree.subtree(8, 0), tree.subtree(8, 1)]))
})

/** As it is, where `fetch` would go up a folder by itself. */
function fetchRaw(path: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { port: gateway.port, host: '127.0.0.1', path: `/v1/log/tile/${path}` },
      (answer) => {
        let body = ''
        answer.on('data', (chunk) => {
          body += chunk
        })
        answer.on('end', () => resolve({ status: answer.statusCode, body }))
      },
    )
    asked.on('error', reject).end()
  })
}

test.each([
  ['entries/003'],
  ['0/002.p/89'],
  ['entries/0'],
  ['64/000'],
  ['0/000.p/0'],
  ['0/000.p/256'],
  ['../head.json'],
  ['..%2Fhead.json'],
  ['%2e%2e/head.json'],
  ['entries/000/../../../head.json'],
  [`0/${'x000/'.repeat(400)}000`],
  [''],
])('There is no tile %s, nor any other file of the bucket', async (path) => {
  const { status, body } = await fetchRaw(path)
  expect({ status, code: (JSON.parse(body) as { code: string }).code }).toEqual({
    status: 404,
    code: 'tile_unknown',
  })
})
