import { createPostgres, type TransactingPostgres } from '../postgres/client.ts'
import { readPlatformConfig } from '../services/platform-config.ts'

/** Opens the platform's Postgres for one command that needs no other engine. @throws EbbError as the client, when it is away */
export async function withPostgres<Result>(
  act: (postgres: TransactingPostgres) => Promise<Result>,
): Promise<Result> {
  const { config } = await readPlatformConfig()
  const postgres = createPostgres(config.postgres.url, { connections: 2 })
  try {
    return await act(postgres)
  } finally {
    await postgres.close()
  }
}
