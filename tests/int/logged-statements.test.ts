import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPostgres } from '../../postgres/client.ts'
import { listLogged, readStatements } from '../../workers/verifier/logged-statements.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let postgres: ReturnType<typeof createPostgres>
const requestId = randomUUID()
const INDEXES = [9, 10, 99, 100, 998, 1_603, 2_383]

beforeAll(async () => {
  stage = await createStage()
  postgres = createPostgres(stage.config.postgres.url, { connections: 1 })
  for (const index of [...INDEXES].reverse()) {
    await postgres.query(
      'test_statement',
      `INSERT INTO certificates (digest, request_id, kind, file, proof, log_index, issued_at)
       VALUES ($1, $2, 'certificate', '', '', $3, now())`,
      [index.toString(16).padStart(64, '0'), requestId, index],
    )
  }
})
afterAll(async () => {
  await postgres?.close()
  await stage?.close()
})

// Which statement stands, and whether the last one is a withdrawal, hangs on it.
test('what the log says of a request comes in the log’s order, by number and not by text', async () => {
  const statements = await readStatements(postgres, [requestId])
  expect(statements.map(({ logIndex }) => logIndex)).toEqual(INDEXES)
  expect((await listLogged(postgres)).map(({ index }) => index)).toEqual(INDEXES)
})
