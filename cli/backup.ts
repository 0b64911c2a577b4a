import { Client } from '@temporalio/client'
import type { Command } from 'commander'
import { expireBackups } from '../activities/expire-backups.ts'
import { createPostgres } from '../postgres/client.ts'
import type { Config } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import { readCatalog } from '../s3/backup-catalog.ts'
import { createS3 } from '../s3/client.ts'
import { type BackupInput, BackupKind, type BackupRecord } from '../schemas/backup.ts'
import { WORKFLOW_DETAILS } from '../schemas/workflow-details.ts'
import { readPlatformConfig } from '../services/platform-config.ts'
import { backupScheduleId } from '../workers/temporal/workflow-ids.ts'
import type { backup } from '../workflows/index.ts'
import { awaitWorkflow } from './await-workflow.ts'
import { connectTemporal } from './connect-temporal.ts'

/** `ebb backup`: takes backups now, lists what there is, purges what has expired. */
export function define(command: Command): void {
  command
    .command('now')
    .description('back up ClickHouse, Postgres and the keyring')
    .option('--kind <kind>', 'only one: clickhouse, postgres or keyring')
    .action(async ({ kind }: { kind?: string }) => {
      const input = chooseKinds(kind)
      const { config } = await readPlatformConfig()
      const result = await runBackup(config, input)
      for (const one of result.backups)
        console.log(`${one.kind.padEnd(10)}  ${one.backupId}  ${one.bytes} bytes`)
      console.log(`log segments copied: ${result.segments}; expired backups purged: ${result.expired}`)
    })
  command
    .command('list')
    .description('list the backups in the bucket')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const { config } = await readPlatformConfig()
      const s3 = createS3(config)
      try {
        const records = await readCatalog(s3)
        if (json) console.log(JSON.stringify(records))
        else for (const line of describeBackups(records)) console.log(line)
      } finally {
        s3.close()
      }
    })
  command
    .command('expire')
    .description('purge backups whose time is over, without waiting for the schedule')
    .action(async () => {
      const { config } = await readPlatformConfig()
      const [s3, postgres] = [createS3(config), createPostgres(config.postgres.url)]
      try {
        const { expired } = await expireBackups({ s3, postgres, now: Date.now })
        console.log(`expired backups purged: ${expired}`)
      } finally {
        s3.close()
        await postgres.close()
      }
    })
}

/** @throws EbbError `bad_arguments` */
export function chooseKinds(kind: string | undefined): BackupInput {
  if (kind === undefined) return {}
  const parsed = BackupKind.exclude(['wal']).safeParse(kind)
  if (!parsed.success) throw new EbbError('bad_arguments', '--kind must be clickhouse, postgres or keyring')
  return { kinds: [parsed.data] }
}

/** One line a backup, oldest first; copies of the log as one line in all. */
export function describeBackups(records: readonly BackupRecord[]): string[] {
  const time = (ms: number) => new Date(ms).toISOString().slice(0, 16).replace('T', ' ')
  const copies = records.filter((one) => one.kind !== 'wal')
  const lines = copies.map((one) => {
    const state = one.detail.complete ? `${one.detail.bytes ?? 0} bytes` : 'NOT COMPLETE'
    return `${one.kind.padEnd(10)}  ${one.backupId}  taken ${time(one.takenAtMs)}, gone by ${time(one.expiresAtMs)}, ${state}`
  })
  const logs = records.filter((one) => one.kind === 'wal' && one.detail.complete)
  const last = Math.max(...logs.map((one) => one.detail.shippedAtMs ?? 0))
  if (logs.length > 0) lines.push(`log of Postgres: ${logs.length} copies, the last at ${time(last)}`)
  return lines.length > 0 ? lines : ['no backups']
}

/** Starts the workflow, or joins the one that runs. @throws EbbError `temporal_unreachable`, `backup_failed` */
async function runBackup(config: Config, input: BackupInput) {
  const { address, namespace, taskQueue } = config.temporal
  const connection = await connectTemporal(address)
  try {
    const client = new Client({ connection, namespace })
    const running = client.workflow.execute<typeof backup>('backup', {
      workflowId: backupScheduleId(taskQueue),
      workflowIdConflictPolicy: 'USE_EXISTING',
      taskQueue,
      args: [input],
      workflowExecutionTimeout: '20h',
      staticSummary: 'Backup, asked for by hand',
      staticDetails: WORKFLOW_DETAILS.backup,
    })
    return await awaitWorkflow('backup', 'backup_failed', running)
  } finally {
    await connection.close()
  }
}
