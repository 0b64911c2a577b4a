import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../postgres/apps.ts'
import { contactsOf } from '../../postgres/privacy-requests.ts'
import { readProfile } from '../../postgres/users-pii.ts'
import { TOPICS } from '../../schemas/event-record.ts'
import { createEdgeErasure, type EdgeErasure } from '../edge-erasure.ts'
import { readTopic } from '../read-topic.ts'
import { createStage, type Stage } from '../stage.ts'
import { type RunningCollector, startCollector } from '../start-collector.ts'

let stage: Stage
let edge: EdgeErasure
let writeKey: string
let collector: RunningCollector

beforeAll(async () => {
  stage = await createStage()
  edge = await createEdgeErasure(stage)
  writeKey = (await createApp(edge.postgres, { app: 'shop' })).writeKey
  collector = await startCollector(stage.environment)
})
afterAll(async () => {
  await collector?.stop()
  await edge?.close()
  await stage?.close()
})

async function identify(userId: string, traits: object): Promise<number> {
  const response = await fetch(`${collector.url}/v1/identify`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}` },
    body: JSON.stringify({ userId, traits }),
  })
  await response.text()
  return response.status
}

async function profiles() {
  const subjects = await edge.postgres.query<{ subject_id: string }>(
    'all',
    'SELECT subject_id FROM subjects',
    [],
  )
  const secrets = await edge.keyring.readSecrets(subjects.map((row) => row.subject_id))
  return Promise.all(
    [...secrets].map(([subjectId, secret]) =>
      readProfile({ postgres: edge.postgres }, { subjectId, secret }),
    ),
  )
}

const contacts = () =>
  edge.postgres.query('contacts', 'SELECT field, contact_hash FROM contacts ORDER BY field', [])

test('Traits of identify are in the vault before the answer, sealed, and in no event; of a blocked person none is kept', async () => {
  const traits = { email: 'ada@example.com', name: 'Ada Canary', plan: 'gold', secretNote: 'no' }
  expect(await identify('ada-lovelace-1', traits)).toBe(200)
  const { email, name } = traits
  expect(await profiles()).toEqual([{ app: 'shop', personal: { email, name }, public: { plan: 'gold' } }])
  const sealed = await edge.postgres.query<{ sealed: Buffer }>('sealed', 'SELECT sealed FROM users_pii', [])
  for (const row of sealed) expect(row.sealed.toString('latin1')).not.toMatch(/ada@|Canary/)
  const [hash] = contactsOf(await edge.keyring.appLookupKey('shop'), [{ label: 'email', value: email }])
  expect(await contacts()).toEqual([{ field: 'email', contact_hash: hash }])
  const sent = await readTopic(stage.config, TOPICS.events)
  expect(sent.length).toBeGreaterThan(0)
  for (const record of sent) {
    const bytes = Buffer.concat([record.key, record.value].map((part) => part ?? Buffer.alloc(0)))
    expect(bytes.toString('latin1')).not.toMatch(/ada@|Canary/)
    for (const text of ['latin1', 'hex', 'base64'] as const)
      expect(bytes.toString('latin1')).not.toContain(hash!.toString(text))
  }

  expect(await identify('ada-lovelace-1', { name: 'Ada King' })).toBe(200)
  expect((await profiles())[0]?.personal).toEqual({ email, name: 'Ada King' })

  await edge.block('shop', [{ label: 'userId', value: 'ada-lovelace-1' }])
  await edge.settle()
  expect(await identify('ada-lovelace-1', { name: 'Ada Byron', email: 'byron@example.com' })).toBe(200)
  expect((await profiles())[0]?.personal.name).toBe('Ada King')
  expect(await contacts()).toEqual([{ field: 'email', contact_hash: hash }])
}, 300_000)
