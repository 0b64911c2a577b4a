import type { Config } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { createKafka, prefixed } from './client.ts'
import { INGEST_GROUP } from './cut-metadata.ts'

/** Members of the ingest group at this moment: who may insert into ClickHouse. */
export async function countIngestMembers(config: Config, logger: Logger): Promise<number> {
  const admin = createKafka(config, logger, 'ebb-restore').admin()
  await admin.connect()
  try {
    const { groups } = await admin.describeGroups([prefixed(config, INGEST_GROUP)])
    return groups[0]?.members.length ?? 0
  } finally {
    await admin.disconnect()
  }
}
