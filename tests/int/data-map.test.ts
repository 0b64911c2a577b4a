import { ListBucketsCommand } from '@aws-sdk/client-s3'
import { Kafka, logLevel } from 'kafkajs'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClickHouse } from '../../clickhouse/client.ts'
import type { Config } from '../../runtime/config.ts'
import { createS3 } from '../../s3/client.ts'
import { DATA_MAP, RESIDUES } from '../../schemas/data-map.ts'
import { DataPlace } from '../../schemas/data-place.ts'
import { createStage, type Stage } from '../stage.ts'

// Unlisted data cannot be erased, exported or expired; a listed place that is gone makes certificates lie.
let stage: Stage
beforeAll(async () => {
  stage = await createStage()
})
afterAll(() => stage?.close())

test('every column of ClickHouse is in the data map, and every listed one exists', async () => {
  expect(await clickhouseColumns(stage.config)).toEqual(listed('clickhouse'))
})

test('every column of Postgres and of the keyring is in the data map, and every listed one exists', async () => {
  expect(await postgresColumns(stage.config.postgres.url)).toEqual(listed('postgres'))
  expect(await postgresColumns(stage.config.postgres.keyringUrl)).toEqual(listed('keyring'))
})

test('every topic is in the data map, and every listed one exists', async () => {
  const topics = new Set(DATA_MAP.filter((place) => place.store === 'kafka').map((place) => place.object))
  expect(await kafkaTopics(stage.config)).toEqual([...topics].sort())
})

test('every bucket is in the data map, and every listed one exists', async () => {
  expect(await buckets(stage.config)).toEqual(listed('s3').map((name) => name.replace('.*', '')))
})

test('a table that nobody listed is found', async () => {
  const client = createClickHouse(stage.config)
  await client.command({ query: 'CREATE TABLE stray (email String) ENGINE = MergeTree ORDER BY email' })
  await client.close()
  expect(await clickhouseColumns(stage.config)).toContain('stray.email')
  expect(listed('clickhouse')).not.toContain('stray.email')
})

test('each place is listed once, with a purpose, a retention and a way out', () => {
  const places = DATA_MAP.map((place) => `${place.store} ${place.object}.${place.column}`)
  expect(new Set(places).size).toBe(places.length)
  for (const place of DATA_MAP) {
    expect(DataPlace.parse(place)).toEqual(place)
    expect(place.purpose.length * place.retention.length).toBeGreaterThan(0)
  }
  expect(new Set(RESIDUES.map((residue) => residue.engine))).toEqual(
    new Set(['clickhouse', 'postgres', 'kafka', 's3', 'temporal', 'ebb']),
  )
})

function listed(store: DataPlace['store']): string[] {
  return DATA_MAP.filter((place) => place.store === store)
    .map((place) => `${place.object}.${place.column}`)
    .sort()
}

/** Views hold nothing themselves: what a materialized one writes stands in its target. */
async function clickhouseColumns(config: Config): Promise<string[]> {
  const client = createClickHouse(config)
  const result = await client.query({
    query: `SELECT concat(table, '.', name) AS place FROM system.columns
            WHERE database IN ({db:String}, {bi:String}) AND (database, table) NOT IN (
              SELECT database, name FROM system.tables WHERE engine IN ('View', 'MaterializedView'))`,
    query_params: { db: config.clickhouse.database, bi: config.clickhouse.biDatabase },
    format: 'JSONEachRow',
  })
  const rows = await result.json<{ place: string }>()
  await client.close()
  return rows.map((row) => row.place).sort()
}

async function postgresColumns(url: string): Promise<string[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ place: string }>(
    `SELECT table_name || '.' || column_name AS place FROM information_schema.columns
     WHERE table_schema NOT IN ('pg_catalog', 'information_schema')`,
  )
  await client.end()
  return rows.map((row) => row.place).sort()
}

async function kafkaTopics(config: Config): Promise<string[]> {
  const { brokers, topicPrefix } = config.kafka
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const topics = await admin.listTopics()
  await admin.disconnect()
  return topics
    .filter((topic) => topic.startsWith(topicPrefix))
    .map((topic) => topic.slice(topicPrefix.length))
    .sort()
}

async function buckets(config: Config): Promise<string[]> {
  const s3 = createS3(config)
  const { Buckets } = await s3.call((client) => client.send(new ListBucketsCommand({})))
  s3.close()
  const { bucketPrefix } = config.s3
  return (Buckets ?? [])
    .map((bucket) => bucket.Name ?? '')
    .filter((name) => name.startsWith(bucketPrefix))
    .map((name) => name.slice(bucketPrefix.length))
    .sort()
}
