import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ClickHouseClient, createClickHouse } from '../../clickhouse/client.ts'
import { eraseSubjects } from '../../clickhouse/erase-subjects.ts'
import { migrateClickHouse } from '../../clickhouse/migrate.ts'
import { createStage, type Stage } from '../stage.ts'
import { ask, insertRows, person, row } from './clickhouse-rows.ts'

let stage: Stage
let client: ClickHouseClient
beforeAll(async () => {
  stage = await createStage({ migrate: false })
  await migrateClickHouse(stage.config)
  client = createClickHouse(stage.config)
})
afterAll(async () => {
  await client?.close()
  await stage?.close()
})

const texts = async () =>
  (
    await ask<{ command: string }>(
      client,
      'SELECT command FROM system.mutations WHERE database = currentDatabase() ORDER BY create_time',
    )
  ).map(({ command }) => command)

test('an erasure forgets what others have written into mutations by hand, and neither its own nor one under way', async () => {
  const at = Date.now()
  await insertRows(client, [row({ ts: at, path: '/ada' }), row({ ts: at, subject: person(2) })], 'c/1/0/0/1')
  const byHand = (table: string, where: string, mutations_sync: '0' | '2') =>
    client.command({
      query: `ALTER TABLE ${table} DELETE WHERE ${where}`,
      clickhouse_settings: { mutations_sync },
    })
  await byHand('events_raw', `path = '/ada/by-hand'`, '2')
  await byHand('click_patterns', `path = '/ada/by-hand'`, '2')
  // In a table that the erasure does not touch, it would wait for nobody. It fails on the row that is there, again and again; a
  // condition on a column beside it would leave it no row to fail on, and it would be done at once.
  await byHand('metrics_streaming_daily', `throwIf(event != 'ada', 'under-way')`, '0')
  expect((await texts()).join('\n')).toContain('/ada/by-hand')
  const batch = randomUUID()
  await eraseSubjects(client, batch, [Buffer.from(person(1))])
  const left = (await texts()).join('\n')
  expect(left).not.toContain('/ada/by-hand')
  expect(left).toContain('under-way')
  const open = 'SELECT table FROM system.mutations WHERE database = currentDatabase() AND NOT is_done'
  expect(await ask(client, open)).toEqual([{ table: 'metrics_streaming_daily' }])
  expect(left).toContain(batch)
  await client.command({ query: `KILL MUTATION WHERE database = currentDatabase() AND NOT is_done` })
  expect(await ask(client, 'SELECT count() AS n FROM events_raw')).toEqual([{ n: 1 }])
}, 300_000)
