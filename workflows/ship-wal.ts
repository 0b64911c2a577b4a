import { upkeep } from './backup-activities.ts'

/**
 * Every two minutes: what Postgres has written since goes to the bucket, and what has expired goes. Expiry does not wait for
 * the log: a server that is away must not keep a copy alive.
 */
export async function shipWal(): Promise<{ segments: number; expired: number }> {
  const { expired } = await upkeep.expireBackups()
  const { segments } = await upkeep.shipWal()
  return { segments, expired }
}
