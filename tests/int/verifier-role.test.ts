import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { VERIFIER_ROLE } from '../../postgres/grant-verifier.ts'
import { migratePostgres } from '../../postgres/migrate.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await createStage()
})
afterAll(() => stage?.close())

/** On engines that hand out no login of the verifier's, its rights are taken by another's. */
function asVerifier(url: string): string {
  const own = new URL(url)
  if (own.username !== VERIFIER_ROLE) own.searchParams.set('options', `-c role=${VERIFIER_ROLE}`)
  return own.href
}

interface Column {
  table: string
  column: string
}

/** Columns of all tables, as the owner sees them. */
async function columnsOf(url: string): Promise<Column[]> {
  return await withClient(url, async (client) => {
    const { rows } = await client.query<Column>(
      `SELECT table_name AS table, column_name AS column FROM information_schema.columns
       WHERE table_schema = 'public' ORDER BY 1, 2`,
    )
    return rows
  })
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** @returns those of the statements that the server let pass. */
async function allowed(url: string, statements: readonly string[]): Promise<string[]> {
  return await withClient(asVerifier(url), async (client) => {
    const passed: string[] = []
    for (const statement of statements) {
      // Rights are looked at before rows, so that an attempt on no row at all tells.
      const state = await client.query(`BEGIN; ${statement}; ROLLBACK`).then(
        () => undefined,
        (error: { code: string }) => error.code,
      )
      if (state === undefined) passed.push(statement)
      else {
        await client.query('ROLLBACK')
        if (state !== '42501') throw new Error(`${statement}: ${state}`)
      }
    }
    return passed
  })
}

function attempts(columns: readonly Column[]): { reads: string[]; writes: string[] } {
  const tables = [...new Set(columns.map(({ table }) => table))]
  return {
    reads: tables.map((table) => `SELECT * FROM "${table}" LIMIT 1`),
    writes: [
      ...tables.flatMap((table) => [
        `INSERT INTO "${table}" SELECT * FROM "${table}" WHERE false`,
        `DELETE FROM "${table}" WHERE false`,
        `TRUNCATE "${table}" CASCADE`,
        `DROP TABLE "${table}" CASCADE`,
        `ALTER TABLE "${table}" ADD COLUMN more text`,
      ]),
      ...columns.map(({ table, column }) => `UPDATE "${table}" SET "${column}" = "${column}" WHERE false`),
      'CREATE TABLE own_table (id int)',
      'CREATE ROLE somebody',
      'ALTER ROLE ebb_verifier CREATEDB',
      'CHECKPOINT',
    ],
  }
}

describe('the role ebb_verifier', () => {
  test('reads every table of both databases', async () => {
    for (const url of [stage.config.postgres.url, stage.config.postgres.keyringUrl]) {
      const { reads } = attempts(await columnsOf(url))
      expect(reads.length).toBeGreaterThan(3)
      expect(await allowed(url, reads)).toEqual(reads)
    }
  })

  test('changes nothing but statements of the log and its own observations', async () => {
    const { writes } = attempts(await columnsOf(stage.config.postgres.url))
    expect(await allowed(stage.config.postgres.url, writes)).toEqual([
      'INSERT INTO "certificates" SELECT * FROM "certificates" WHERE false',
      'UPDATE "certificates" SET "superseded" = "superseded" WHERE false',
      'UPDATE "privacy_requests" SET "observed" = "observed" WHERE false',
    ])
  })

  test('changes nothing at all in the keyring', async () => {
    const { writes } = attempts(await columnsOf(stage.config.postgres.keyringUrl))
    expect(await allowed(stage.config.postgres.keyringUrl, writes)).toEqual([])
  })

  test('reads a table that comes later, and loses at the next migration what somebody gave it', async () => {
    const { url } = stage.config.postgres
    await withClient(url, async (owner) => {
      await owner.query('CREATE TABLE later (subject uuid)')
      await owner.query(`GRANT DELETE ON users_pii TO ${VERIFIER_ROLE}`)
    })
    expect(await allowed(url, ['SELECT * FROM later'])).toHaveLength(1)
    expect(await allowed(url, ['DELETE FROM users_pii WHERE false'])).toHaveLength(1)
    await migratePostgres(stage.config)
    expect(await allowed(url, ['DELETE FROM users_pii WHERE false'])).toEqual([])
  })

  test("lists the segments of the server's own log", async () => {
    const found = await allowed(stage.config.postgres.url, ['SELECT count(*) FROM pg_ls_waldir()'])
    expect(found).toHaveLength(1)
  })
})
