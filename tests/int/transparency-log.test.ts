import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatPublicKey } from '../../certificates/public-key.ts'
import { parseTlogProof } from '../../certificates/tlog-proof.ts'
import { parseTrustedKeys } from '../../certificates/trusted-keys.ts'
import { verifyCertificate } from '../../certificates/verify-certificate.ts'
import { proveCertificate } from '../../cli/prove-certificate.ts'
import { createPostgres, type TransactingPostgres } from '../../postgres/client.ts'
import { createS3, type S3 } from '../../s3/client.ts'
import { getObject } from '../../s3/get-object.ts'
import { purgePrefix } from '../../s3/purge.ts'
import { putObject } from '../../s3/put-object.ts'
import { createAppendLeaf } from '../../workers/verifier/append-leaf.ts'
import { auditLog } from '../../workers/verifier/audit-log.ts'
import { CHECKPOINT_KEY, certificateKey, proofKey, readEntries } from '../../workers/verifier/log-files.ts'
import { createLogWriter, type LogWriter, type StatementWish } from '../../workers/verifier/log-writer.ts'
import { listLogged } from '../../workers/verifier/logged-statements.ts'
import { retireKey } from '../../workers/verifier/retire-key.ts'
import { formatKeyFile, openSigningKeys } from '../../workers/verifier/signing-keys.ts'
import { createStage, type Stage } from '../stage.ts'

const ORIGIN = 'log.test.example/ebb'

let stage: Stage
let postgres: TransactingPostgres
let s3: S3
const folders: string[] = []

beforeAll(async () => {
  stage = await createStage()
  postgres = createPostgres(stage.config.postgres.url)
  s3 = createS3(stage.config)
})
afterAll(async () => {
  await postgres.close()
  s3.close()
  await stage.close()
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })))
})

async function emptyLog(): Promise<string> {
  await purgePrefix(s3, 'log', '')
  await postgres.query('empty_certificates', 'DELETE FROM certificates', [])
  const folder = await mkdtemp(join(tmpdir(), 'ebb-log-'))
  folders.push(folder)
  return folder
}

function writerOf(folder: string): LogWriter {
  const postgresUrl = stage.config.postgres.url
  return createLogWriter({ postgres, postgresUrl, s3, folder, origin: ORIGIN, witnesses: [], now: Date.now })
}

/** A request's arrival; once only for each request. */
function received(requestId: string = randomUUID()): StatementWish {
  return {
    requestId,
    decide(history) {
      const before = history.find(({ kind }) => kind === 'received')
      if (before) return before
      return {
        version: 1,
        kind: 'received',
        origin: ORIGIN,
        issuer: 'Test',
        tool: 'ebb/test',
        issuedAt: '2026-11-21T09:00:00Z',
        deadline: '2026-12-21T09:00:00Z',
        previous: null,
        request: requestId,
        app: 'shop',
        subject: [{ label: 'email', commitment: 'ab'.repeat(32) }],
      }
    },
  }
}

async function verifyStored(folder: string, digest: string) {
  const keys = await openSigningKeys(folder, ORIGIN)
  const proof = (await getObject(s3, 'log', proofKey(digest)))!
  const { index, checkpoint } = parseTlogProof(proof)
  return verifyCertificate({
    certificate: (await getObject(s3, 'log', certificateKey(digest)))!,
    proof,
    keys: parseTrustedKeys(formatKeyFile(keys, [])),
    leaves: await readEntries(s3, Number(checkpoint.split('\n')[1]), index + 1),
  })
}

describe('the log', () => {
  test('takes many statements under one checkpoint, each with a proof that verifies offline', async () => {
    const folder = await emptyLog()
    const append = createAppendLeaf(writerOf(folder))
    const logged = await Promise.all(Array.from({ length: 300 }, () => append(received())))
    expect(logged.map(({ logIndex }) => logIndex).sort((a, b) => a - b)).toEqual([...Array(300).keys()])
    const more = await append(received())
    expect(more.logIndex).toBe(300)
    for (const { digest } of [logged[0]!, logged[255]!, logged[299]!, more]) {
      expect(await verifyStored(folder, digest)).toMatchObject({ ok: true })
    }
    expect(await listLogged(postgres)).toHaveLength(301)
    await rm(folder, { recursive: true })
  })

  test('keeps its keys to itself', async () => {
    const folder = await emptyLog()
    await writerOf(folder).append([received()])
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    for (const name of ['log.key', 'certificate-1.key', 'head.json']) {
      expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
    }
    const { log } = await openSigningKeys(folder, ORIGIN)
    expect(formatPublicKey(log.key)).not.toContain((await readFile(join(folder, 'log.key'), 'utf8')).trim())
    await rm(folder, { recursive: true })
  })

  test('answers a repeat with what is there, also in the same batch and by another writer', async () => {
    const folder = await emptyLog()
    const id = randomUUID()
    const [first, again] = await writerOf(folder).append([received(id), received(id)])
    expect(again).toEqual(first)
    expect(await writerOf(folder).append([received(id)])).toEqual([first])
    const writers = [writerOf(folder), writerOf(folder)]
    const ids = Array.from({ length: 20 }, () => randomUUID())
    await Promise.all(ids.flatMap((one) => writers.map((writer) => writer.append([received(one)]))))
    const rows = await listLogged(postgres)
    expect(rows).toHaveLength(21)
    expect(rows.map(({ index }) => index)).toEqual([...Array(21).keys()])
    await rm(folder, { recursive: true })
  })

  test('lets a wish that cannot be signed fail alone', async () => {
    const folder = await emptyLog()
    const append = createAppendLeaf(writerOf(folder))
    const bad: StatementWish = {
      requestId: null,
      decide: () => ({ ...received().decide([], null as never, () => undefined), issuer: '' }) as never,
    }
    const [good, wrong] = await Promise.allSettled([append(received()), append(bad)])
    expect([good.status, wrong.status]).toEqual(['fulfilled', 'rejected'])
    await rm(folder, { recursive: true })
  })
})

describe('a log that is not the one that was signed is refused', () => {
  async function written() {
    const folder = await emptyLog()
    await writerOf(folder).append([received(), received()])
    const older = (await getObject(s3, 'log', CHECKPOINT_KEY))!
    await writerOf(folder).append([received()])
    return { folder, older }
  }
  const refused = (folder: string) =>
    expect(writerOf(folder).append([received()])).rejects.toMatchObject({ code: 'log_forked' })

  test('an entry was changed', async () => {
    const { folder } = await written()
    const bundle = (await getObject(s3, 'log', 'tile/entries/000.p/3'))!
    bundle[40] = bundle[40]! === 0x61 ? 0x62 : 0x61
    await putObject(s3, 'log', 'tile/entries/000.p/3', bundle)
    await refused(folder)
  })
  test('the checkpoint was rolled back, and the table with it', async () => {
    const { folder, older } = await written()
    await putObject(s3, 'log', CHECKPOINT_KEY, older)
    await putObject(s3, 'log', 'tile/entries/000.p/3', (await getObject(s3, 'log', 'tile/entries/000.p/2'))!)
    await postgres.query('roll_back', 'DELETE FROM certificates WHERE log_index = 2', [])
    await refused(folder)
  })
  test('the bucket is empty, and the table knows certificates', async () => {
    const { folder } = await written()
    await purgePrefix(s3, 'log', '')
    await refused(folder)
    await rm(join(folder, 'head.json'))
    await refused(folder)
  })
  test('another key signed the checkpoint', async () => {
    const { folder } = await written()
    await rm(join(folder, 'log.key'))
    await refused(folder)
  })
  test('a certificate of a leaf was taken away before its row was written', async () => {
    const { folder } = await written()
    const [row] = (await listLogged(postgres)).slice(-1)
    await postgres.query('lose_row', 'DELETE FROM certificates WHERE log_index = $1', [row!.index])
    await purgePrefix(s3, 'log', certificateKey(row!.digest))
    await refused(folder)
  })
})

describe('the audit', () => {
  async function audited() {
    const folder = await emptyLog()
    await writerOf(folder).append([received(), received(), received()])
    await writerOf(folder).append([received()])
    const keys = parseTrustedKeys(formatKeyFile(await openSigningKeys(folder, ORIGIN), []))
    return { keys, differences: async () => (await auditLog({ s3, postgres, keys })).differences }
  }

  test('finds nothing in a log that holds', async () => {
    const { keys, differences } = await audited()
    expect(await differences()).toEqual([])
    expect(await auditLog({ s3, postgres, keys })).toMatchObject({ size: 4, certificates: 4 })
  })

  test.each(['tile/0/000.p/4', 'tile/0/000.p/3', 'tile/entries/000.p/3'])(
    'finds a changed %s',
    async (key) => {
      const { differences } = await audited()
      const tile = (await getObject(s3, 'log', key))!
      tile[40] = (tile[40] ?? 0) ^ 1
      await putObject(s3, 'log', key, tile)
      expect((await differences()).join()).toContain(key)
    },
  )

  test('finds a dropped certificate, a changed one, and what the table says otherwise', async () => {
    const { differences } = await audited()
    const rows = await listLogged(postgres)
    await purgePrefix(s3, 'log', certificateKey(rows[1]!.digest))
    await putObject(s3, 'log', certificateKey(rows[2]!.digest), '{}')
    await postgres.query('audit_drop', 'DELETE FROM certificates WHERE log_index = 0', [])
    await postgres.query('audit_flag', 'UPDATE certificates SET superseded = true WHERE log_index = 3', [])
    expect((await differences()).sort()).toEqual([
      'the certificate of leaf 1 is missing',
      'the certificate of leaf 2 is not the one that was logged',
      'the table lacks leaf 0',
      'the table says wrongly whether leaf 3 was withdrawn',
    ])
  })
})

describe('a certificate is proved anew', () => {
  async function proved() {
    const folder = await emptyLog()
    const [first] = await writerOf(folder).append([received(), received()])
    if (!first || !('logged' in first)) throw new Error('nothing was logged')
    const older = (await getObject(s3, 'log', CHECKPOINT_KEY))!
    await writerOf(folder).append([received()])
    const keys = formatKeyFile(await openSigningKeys(folder, ORIGIN), [])
    const file = join(folder, 'certificate.json')
    await writeFile(file, (await getObject(s3, 'log', certificateKey(first.logged.digest)))!)
    const prove = () => proveCertificate(s3, keys, file)
    const files = () => Promise.all(['tlog-proof', 'leaves'].map((kind) => read(`certificate.${kind}`)))
    const read = (name: string) => readFile(join(folder, name), 'utf8').catch(() => null)
    const verdict = async () => {
      const [proof, leaves] = await files()
      return verifyCertificate({
        certificate: await readFile(file),
        proof: Buffer.from(proof!),
        keys: parseTrustedKeys(keys),
        leaves: leaves!
          .split('\n')
          .slice(0, -1)
          .map((line) => Buffer.from(line)),
      })
    }
    return { folder, older, prove, files, verdict }
  }

  test('under the newest head, and again when the log has grown', async () => {
    const { folder, prove, verdict } = await proved()
    expect(await prove()).toMatchObject({ size: 3 })
    expect(await verdict()).toMatchObject({ ok: true })
    await writerOf(folder).append([received()])
    expect(await prove()).toMatchObject({ size: 4 })
    expect(await verdict()).toMatchObject({ ok: true })
  })

  test('but never under an older one: a bucket that was rolled back takes no newer proof away', async () => {
    const { older, prove, files } = await proved()
    await prove()
    const before = await files()
    await putObject(s3, 'log', CHECKPOINT_KEY, older)
    await expect(prove()).rejects.toMatchObject({ code: 'log_behind' })
    expect(await files()).toEqual(before)
  })

  test('nor by entries that do not give the head that was signed', async () => {
    const { prove, files } = await proved()
    const bundle = (await getObject(s3, 'log', 'tile/entries/000.p/3'))!
    bundle[40] = bundle[40]! === 0x61 ? 0x62 : 0x61
    await putObject(s3, 'log', 'tile/entries/000.p/3', bundle)
    await expect(prove()).rejects.toMatchObject({ code: 'log_forked' })
    expect(await files()).toEqual([null, null])
  })

  test('nor by a log that has grown from other entries than those proved before', async () => {
    const { folder, prove, files } = await proved()
    await prove()
    const before = await files()
    await purgePrefix(s3, 'log', 'tile/')
    await purgePrefix(s3, 'log', CHECKPOINT_KEY)
    await postgres.query('empty_certificates', 'DELETE FROM certificates', [])
    await rm(join(folder, 'head.json'))
    await writerOf(folder).append([received(), received(), received(), received()])
    await expect(prove()).rejects.toMatchObject({ code: 'log_forked' })
    expect(await files()).toEqual(before)
  })
})

test('a retired key signs nothing more, and its leaf says so', async () => {
  const folder = await emptyLog()
  const issuer = { origin: ORIGIN, issuer: 'Test', now: Date.now }
  const [before] = await writerOf(folder).append([received()])
  const done = await retireKey({ ...issuer, folder, writer: writerOf(folder) }, 'compromise')
  const [after] = await writerOf(folder).append([received()])
  const keys = parseTrustedKeys(await readFile(join(folder, 'keys.pub'), 'utf8'))
  expect(keys.certificates.map(({ retiredAt }) => retiredAt)).toEqual([done.logIndex, undefined])
  expect((await readdir(folder)).filter((name) => name.endsWith('.key')).sort()).toEqual([
    'certificate-2.key',
    'log.key',
  ])
  for (const answer of [before!, after!]) {
    if (!('logged' in answer)) throw answer.error
    const { digest } = answer.logged
    const files = { certificate: certificateKey(digest), proof: proofKey(digest) }
    const [certificate, proof] = await Promise.all(
      [files.certificate, files.proof].map(async (key) => (await getObject(s3, 'log', key))!),
    )
    expect(verifyCertificate({ certificate: certificate!, proof: proof!, keys })).toMatchObject({ ok: true })
  }
  expect((await auditLog({ s3, postgres, keys })).differences).toEqual([])
})

const POINTS = [
  'log.certificates-stored',
  'log.tiles-stored',
  'log.head-kept',
  'log.checkpoint-published',
  'log.cosigned',
  'log.proofs-stored',
  'log.rows-stored',
]

/** A process of its own that appends arrivals of the requests that it is given, and dies at a point. */
function startAppender(fault: string): ChildProcess {
  const url = (path: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, '../..', path)).href)
  const script = `
    const { createLogWriter } = await import(${url('workers/verifier/log-writer.ts')})
    const { createPostgres } = await import(${url('postgres/client.ts')})
    const { createS3 } = await import(${url('s3/client.ts')})
    const { readConfig } = await import(${url('runtime/config.ts')})
    const { text } = await import('node:stream/consumers')
    const { folder, ids } = JSON.parse(await text(process.stdin))
    const config = readConfig()
    const postgresUrl = config.postgres.url
    const writer = createLogWriter({ postgres: createPostgres(postgresUrl), postgresUrl, s3: createS3(config),
      folder, origin: ${JSON.stringify(ORIGIN)}, witnesses: [], now: Date.now })
    const wish = (requestId) => ({ requestId, decide: (history) => history[0] ?? {
      version: 1, kind: 'received', origin: ${JSON.stringify(ORIGIN)}, issuer: 'Test', tool: 'ebb/test',
      issuedAt: '2026-11-21T09:00:00Z', deadline: '2026-12-21T09:00:00Z', previous: null, request: requestId,
      app: 'shop', subject: [{ label: 'email', commitment: 'cd'.repeat(32) }] } })
    await writer.append(ids.map(wish))
    process.exit(0)`
  return spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    env: { ...process.env, ...stage.environment, EBB_FAULT: fault },
    stdio: ['pipe', 'ignore', 'ignore'],
  })
}

describe('a crash', () => {
  const appenders = new Map<string, ChildProcess>()
  // Loading takes them longer than appending: they do it side by side, and wait for their requests.
  beforeAll(() => {
    for (const point of POINTS) appenders.set(point, startAppender(`${point}:1`))
  })
  afterAll(() => {
    for (const appender of appenders.values()) appender.kill('SIGKILL')
  })

  test.each(POINTS)(
    'at %s loses no leaf and writes none twice',
    async (point) => {
      const folder = await emptyLog()
      await writerOf(folder).append([received(), received()])
      const ids = [randomUUID(), randomUUID(), randomUUID()]
      const appender = appenders.get(point)!
      const ended = once(appender, 'exit')
      appender.stdin!.end(JSON.stringify({ folder, ids }))
      expect(await ended).toEqual([null, 'SIGKILL'])

      const writer = writerOf(folder)
      const others = await writer.append([received(), ...ids.map((id) => received(id))])
      const rows = await listLogged(postgres)
      expect(rows.map(({ index }) => index)).toEqual([...Array(6).keys()])
      expect(new Set(rows.map(({ digest }) => digest)).size).toBe(6)
      for (const answer of others) {
        if (!('logged' in answer)) throw answer.error
        expect(rows).toContainEqual({ index: answer.logged.logIndex, digest: answer.logged.digest })
        expect(await verifyStored(folder, answer.logged.digest)).toMatchObject({ ok: true })
      }
      await rm(folder, { recursive: true })
    },
    300_000,
  )

  test('in a folder that others can read ends before anything is signed', async () => {
    const folder = await emptyLog()
    await writerOf(folder).append([received()])
    await writeFile(join(folder, 'certificate-2.key'), `${'00'.repeat(32)}\n`, { mode: 0o644 })
    await expect(writerOf(folder).append([received()])).rejects.toMatchObject({
      code: 'signing_keys_exposed',
    })
    await rm(folder, { recursive: true })
  })
})
