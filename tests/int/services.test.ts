import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { Connection } from '@temporalio/client'
import { Kafka, logLevel } from 'kafkajs'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClickHouse } from '../../clickhouse/client.ts'
import { type Config, readConfig } from '../../runtime/config.ts'
import { SEARCH_ATTRIBUTES } from '../../schemas/search-attributes.ts'
import { isAlive } from '../../services/process-table.ts'
import { type EngineName, type RunningEngines, startEngines } from '../../services/start-engines.ts'
import { createTemporaryHome } from '../../services/temporary-home.ts'

const homes: string[] = []
async function newHome(): Promise<string> {
  const home = await createTemporaryHome('ebb-test-')
  homes.push(home)
  return home
}

// Without the EBB_* that the run may have set: these tests start engines, they do not use given ones.
const bare = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('EBB_')))

afterAll(async () => {
  for (const home of homes) await rm(home, { recursive: true, force: true })
})

describe('an engine that was killed', () => {
  let engines: RunningEngines
  let config: Config
  beforeAll(async () => {
    engines = await startEngines({ home: await newHome(), ports: 'free', brief: true, environment: bare })
    config = readConfig(engines.environment)
  })
  afterAll(async () => {
    await engines?.stop()
  })

  const crash = async (name: EngineName) => {
    const before = engines.processes.find((entry) => entry.name === name)?.pid
    engines.kill(name, 'SIGKILL')
    await engines.restart(name)
    expect(engines.processes.find((entry) => entry.name === name)?.pid).not.toBe(before)
  }

  test('Kafka comes back on the same port with its records and committed offsets', async () => {
    const kafka = new Kafka({
      brokers: config.kafka.brokers,
      logLevel: logLevel.NOTHING,
      retry: { retries: 20 },
    })
    const admin = kafka.admin()
    const producer = kafka.producer()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 1 }] })
    await producer.connect()
    await producer.send({ topic: 'kept', acks: -1, messages: [{ value: 'one' }, { value: 'two' }] })
    await producer.disconnect()
    await admin.setOffsets({ groupId: 'g', topic: 'kept', partitions: [{ partition: 0, offset: '1' }] })
    await crash('kafka')
    const [offsets] = await admin.fetchTopicOffsets('kept')
    expect(offsets?.high).toBe('2')
    const [committed] = await admin.fetchOffsets({ groupId: 'g', topics: ['kept'] })
    expect(committed?.partitions[0]?.offset).toBe('1')
    await admin.disconnect()
  })

  test('Postgres comes back on the same port with what was committed', async () => {
    const query = async (sql: string) => {
      const client = new Client({ connectionString: config.postgres.url })
      await client.connect()
      return client.query(sql).finally(() => client.end())
    }
    await query('CREATE TABLE kept (n int)')
    await query('INSERT INTO kept VALUES (7)')
    await crash('postgres')
    expect((await query('SELECT n FROM kept')).rows).toEqual([{ n: 7 }])
  })

  test('ClickHouse comes back on the same port with its rows', async () => {
    const client = createClickHouse(config, { database: '' })
    await client.command({ query: 'CREATE DATABASE kept' })
    await client.command({ query: 'CREATE TABLE kept.t (n UInt8) ENGINE = MergeTree ORDER BY n' })
    await client.command({ query: 'INSERT INTO kept.t SELECT 7' })
    await crash('clickhouse')
    const rows = await client.query({ query: 'SELECT n FROM kept.t', format: 'JSONEachRow' })
    expect(await rows.json()).toEqual([{ n: 7 }])
    await client.close()
  })

  test('S3 comes back on the same port with its objects and accounts', async () => {
    const clientOf = ({ accessKey, secretKey }: Config['s3']) =>
      new S3Client({
        endpoint: config.s3.endpoint,
        region: 'us-east-1',
        forcePathStyle: true,
        credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
      })
    const s3 = clientOf(config.s3)
    const object = { Bucket: 'kept', Key: 'a/b' }
    await s3.send(new CreateBucketCommand({ Bucket: 'kept' }))
    await s3.send(new PutObjectCommand({ ...object, Body: 'seven' }))
    await crash('s3')
    const found = await s3.send(new GetObjectCommand(object))
    expect(await found.Body?.transformToString()).toBe('seven')
    await expect(clientOf(config.verifier.s3).send(new GetObjectCommand(object))).rejects.toMatchObject({
      name: 'AccessDenied',
    })
  })

  test('Temporal comes back on the same port with its namespace and typed search attributes', async () => {
    await crash('temporal')
    const connection = await Connection.connect({ address: config.temporal.address })
    const attributes = await connection.operatorService.listSearchAttributes({ namespace: 'default' })
    expect(Object.keys(attributes.customAttributes ?? {})).toEqual(
      expect.arrayContaining(Object.keys(SEARCH_ATTRIBUTES)),
    )
    await connection.close()
  })
})

describe('ports and folders', () => {
  test('two starts at the same moment share no port', async () => {
    const only: EngineName[] = ['s3', 'temporal']
    const start = async () =>
      startEngines({ home: await newHome(), only, ports: 'preferred', environment: bare })
    const [one, two] = await Promise.all([start(), start()])
    try {
      for (const key of ['EBB_S3_ENDPOINT', 'EBB_TEMPORAL_ADDRESS', 'EBB_TEMPORAL_UI_URL']) {
        expect(one.environment[key]).toBeTruthy()
        expect(one.environment[key]).not.toBe(two.environment[key])
      }
    } finally {
      await Promise.all([one.stop(), two.stop()])
    }
  })

  test('an engine whose usual port is taken moves to another', async () => {
    const squatter = createServer()
    await new Promise<void>((resolve) => {
      // Taken by someone else already: as good.
      squatter.once('error', () => resolve())
      squatter.listen(7070, '127.0.0.1', resolve)
    })
    const engines = await startEngines({
      home: await newHome(),
      only: ['s3'],
      ports: 'preferred',
      environment: bare,
    })
    try {
      const endpoint = engines.environment.EBB_S3_ENDPOINT ?? ''
      expect(endpoint).not.toContain(':7070')
      expect((await fetch(`${endpoint}/health`)).ok).toBe(true)
    } finally {
      await engines.stop()
      squatter.close()
    }
  })

  test('a home that is in use refuses a second start, and the first goes on', async () => {
    const home = await newHome()
    const engines = await startEngines({ home, only: ['s3'], ports: 'free', environment: bare })
    try {
      const second = startEngines({ home, only: ['s3'], ports: 'free', environment: bare })
      await expect(second).rejects.toMatchObject({ code: 'home_in_use' })
      expect((await fetch(`${engines.environment.EBB_S3_ENDPOINT}/health`)).ok).toBe(true)
    } finally {
      await engines.stop()
    }
  })

  test('a fresh start deletes what an earlier one left, and nothing that one in use has', async () => {
    const home = await newHome()
    const fresh = () => startEngines({ home, only: ['s3'], ports: 'free', environment: bare, fresh: true })
    const engines = await fresh()
    const left = join(home, 's3', 'left')
    await writeFile(left, '')
    try {
      await expect(fresh()).rejects.toMatchObject({ code: 'home_in_use' })
      await access(left)
      await access(join(home, 'run', 's3.pid'))
    } finally {
      await engines.stop()
    }
    await (await fresh()).stop()
    await expect(access(left)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('Postgres works in a home that only root may enter, and finds its data there again until a fresh start', async () => {
    const home = await mkdtemp(join(tmpdir(), 'ebb-private-'))
    homes.push(home)
    const lines: string[] = []
    for (const round of [1, 2, 3]) {
      const engines = await startEngines({
        home,
        only: ['postgres'],
        ports: 'free',
        environment: bare,
        fresh: round === 3,
        onProgress: (line) => lines.push(line),
      })
      const client = new Client({ connectionString: engines.environment.EBB_KEYRING_URL })
      try {
        await client.connect()
        if (round === 1) await client.query('CREATE TABLE kept (n int)')
        const found = await client.query("SELECT to_regclass('kept')::text AS found")
        expect(found.rows).toEqual([{ found: round === 3 ? null : 'kept' }])
      } finally {
        await client.end()
        await engines.stop()
      }
    }
    const told = lines.find((line) => line.includes('keeps its data in'))
    const place = told && /keeps its data in (\S+):/.exec(told)?.[1]
    if (process.getuid?.() === 0) expect(place).toBeTruthy()
    if (place) await rm(place, { recursive: true, force: true })
  })
})

describe('what is missing or given', () => {
  test.each([
    ['kafka', 'java', 'apt-get install openjdk'],
    ['temporal', 'Go', 'apt-get install golang'],
    ['s3', 'Go', 'apt-get install golang'],
  ] as const)('%s without its tool says which one and how to install it', async (name, tool, command) => {
    const home = await newHome()
    const environment = { PATH: join(home, 'empty'), HOME: home }
    const start = startEngines({ home, only: [name], ports: 'free', environment })
    await expect(start).rejects.toMatchObject({
      code: 'missing_tool',
      message: expect.stringMatching(new RegExp(`${tool}[^]*${command}`)),
    })
  })

  test('what is missing is said at once, not after the builds that run beside it', async () => {
    const home = await newHome()
    const bin = join(home, 'bin')
    await mkdir(bin)
    // A Go that takes for ever, and no Java.
    await writeFile(join(bin, 'go'), '#!/bin/sh\nexec /bin/sleep 300\n', { mode: 0o755 })
    const startedAt = Date.now()
    const start = startEngines({
      home,
      only: ['temporal', 's3', 'kafka'],
      ports: 'free',
      environment: { PATH: bin, HOME: home },
    })
    await expect(start).rejects.toMatchObject({ code: 'missing_tool' })
    expect(Date.now() - startedAt).toBeLessThan(120_000)
  })

  test('an engine given by URL is used as it is, and nothing is started for it', async () => {
    const home = await newHome()
    const first = await startEngines({ home, only: ['s3'], ports: 'free', environment: bare })
    try {
      const endpoint = first.environment.EBB_S3_ENDPOINT ?? ''
      const second = await startEngines({
        home: await newHome(),
        only: ['s3'],
        ports: 'free',
        environment: { ...bare, EBB_S3_ENDPOINT: endpoint },
      })
      expect(second.environment.EBB_S3_ENDPOINT).toBe(endpoint)
      expect(second.processes).toEqual([])
      await second.stop()
      expect((await fetch(`${endpoint}/health`)).ok).toBe(true)
    } finally {
      await first.stop()
    }
  })

  test('a URL where nothing answers is named at once', async () => {
    const start = startEngines({
      home: await newHome(),
      only: ['kafka'],
      ports: 'free',
      environment: { ...bare, EBB_KAFKA_BROKERS: '127.0.0.1:1' },
    })
    await expect(start).rejects.toMatchObject({ code: 'engine_unreachable' })
  })
})

test('engines end when the process that started them is killed', async () => {
  const home = await newHome()
  const script =
    "import { startEngines } from './services/start-engines.ts'\n" +
    `const engines = await startEngines({ home: ${JSON.stringify(home)}, only: ['s3', 'postgres'], ports: 'free' })\n` +
    'console.log(JSON.stringify(engines.processes))\n' +
    'setInterval(() => undefined, 1000)\n'
  const starter = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    env: { ...bare, EBB_RUN: randomBytes(4).toString('hex') },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const line = await new Promise<string>((resolve) => {
    starter.stdout.setEncoding('utf8').once('data', resolve)
  })
  const pids = (JSON.parse(line) as { pid: number }[]).map((entry) => entry.pid)
  expect(pids).toHaveLength(2)
  starter.kill('SIGKILL')
  const deadline = Date.now() + 20_000
  while (pids.some(isAlive) && Date.now() < deadline) await sleep(100)
  expect(pids.filter(isAlive)).toEqual([])
})
