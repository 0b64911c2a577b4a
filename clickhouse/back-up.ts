import type { ClickHouseClient } from './client.ts'

/**
 * Copies a database to `location` of the backups' bucket. Tables come one after the other, each as of the moment it is
 * copied; parts are immutable, so inserts go on. The collection names the bucket and its keys, the statement holds neither.
 */
export async function backUpDatabase(
  client: ClickHouseClient,
  options: { database: string; cluster: string; collection: string; location: string },
): Promise<void> {
  const onCluster = options.cluster === '' ? '' : `ON CLUSTER '${options.cluster}'`
  await client.command({
    query: `BACKUP DATABASE ${options.database} ${onCluster} TO S3(${options.collection}, '${options.location}')`,
  })
}

/** Brings a copy back under another name. @param as a database that is not there yet */
export async function restoreDatabase(
  client: ClickHouseClient,
  options: { database: string; cluster: string; collection: string; location: string; as: string },
): Promise<void> {
  const onCluster = options.cluster === '' ? '' : `ON CLUSTER '${options.cluster}'`
  await client.command({
    query: `RESTORE DATABASE ${options.database} AS ${options.as} ${onCluster} FROM S3(${options.collection}, '${options.location}')`,
  })
}
