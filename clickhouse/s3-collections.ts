import { ClickHouseError } from '@clickhouse/client'
import type { Config } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import type { Bucket } from '../schemas/bucket.ts'
import { createClickHouse } from './client.ts'

/** Buckets that ClickHouse itself reads and writes. */
const SERVED: readonly Bucket[] = ['archive', 'backups']

/**
 * Name of the collection that holds a bucket's URL and keys. Statements name it, so that no secret stands in a statement,
 * and with it in a query log, a mutation or an error.
 */
export function s3Collection(config: Pick<Config, 's3'>, bucket: Bucket): string {
  return `ebb_s3_${config.s3.bucketPrefix.replaceAll('-', '_')}${bucket}`
}

/**
 * Tells ClickHouse the buckets' URL and keys as named collections, anew at each migration. A real server masks them in its
 * logs and in system.named_collections; its user needs the right NAMED COLLECTION CONTROL.
 * @throws EbbError `collection_refused` naming the code only: the server's message may quote the statement
 */
export async function ensureS3Collections(config: Pick<Config, 'clickhouse' | 's3'>): Promise<void> {
  const { endpoint, accessKey, secretKey, bucketPrefix } = config.s3
  const onCluster = config.clickhouse.cluster === '' ? '' : `ON CLUSTER '${config.clickhouse.cluster}'`
  const client = createClickHouse(config, { database: '' })
  try {
    for (const bucket of SERVED) {
      const name = s3Collection(config, bucket)
      const values = {
        url: `${endpoint.replace(/\/$/, '')}/${bucketPrefix}${bucket}/`,
        access_key_id: accessKey,
        secret_access_key: secretKey,
      }
      // Whoever may use the keys must not send them to a place of their own.
      const list = Object.entries(values).map(([key, value]) => `${key} = ${quote(value)} NOT OVERRIDABLE`)
      await client.command({
        query: `CREATE NAMED COLLECTION IF NOT EXISTS ${name} ${onCluster} AS ${list.join(', ')}`,
      })
      await client.command({ query: `ALTER NAMED COLLECTION ${name} ${onCluster} SET ${list.join(', ')}` })
    }
  } catch (error) {
    const code = error instanceof ClickHouseError ? `code ${error.code}` : 'no answer'
    throw new EbbError('collection_refused', `ClickHouse does not take the buckets' keys: ${code}`)
  } finally {
    await client.close()
  }
}

/** For tests: no product code calls it. */
export async function dropS3Collections(config: Pick<Config, 'clickhouse' | 's3'>): Promise<void> {
  const client = createClickHouse(config, { database: '' })
  for (const bucket of SERVED) {
    await client.command({ query: `DROP NAMED COLLECTION IF EXISTS ${s3Collection(config, bucket)}` })
  }
  await client.close()
}

function quote(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
