import type { Command } from 'commander'
import { createJournalSealer } from '../activities/journal-sealer.ts'
import { type RestoreDeps, readCheckedJournal, restoreClickHouse } from '../activities/restore-clickhouse.ts'
import { eraseFromRestored, restorePostgres } from '../activities/restore-postgres.ts'
import { countIngestMembers } from '../kafka/count-ingest-members.ts'
import { openKeyProvider } from '../postgres/open-key-provider.ts'
import { EbbError } from '../runtime/errors.ts'
import { createLogger } from '../runtime/logger.ts'
import { createS3 } from '../s3/client.ts'
import { readPlatformConfig } from '../services/platform-config.ts'

/** `ebb restore`: brings back a copy, and carries out again every erasure that came after it. */
export function define(command: Command): void {
  command
    .command('clickhouse')
    .description('replace the tables of ClickHouse by those of a backup; ingest must be stopped')
    .option('--backup <id>', 'which one (default: the newest; `ebb backup list`)')
    .action(({ backup }: { backup?: string }) =>
      withDeps(async (deps) => {
        const done = await restoreClickHouse(deps, backup)
        console.log(
          `restored to ${new Date(done.takenAtMs).toISOString()}: ${done.partitions} partitions, ` +
            `${done.erasures} erasures carried out again, aggregates of ${done.days} days counted anew`,
        )
        console.log('Start ingest: it reads from Kafka again what came after the backup (24 hours).')
      }),
    )
  command
    .command('postgres')
    .description('write a base backup and its log as the data folder of a server that is yet to be started')
    .requiredOption('--to <folder>', 'a folder that does not exist or is empty')
    .option('--keyring', 'the keyring instead of the platform’s database')
    .option('--at <time>', 'stop at this moment, ISO 8601 (default: as late as the log goes)')
    .action((options: { to: string; keyring?: boolean; at?: string }) =>
      withDeps(async (deps) => {
        if (options.at !== undefined && Number.isNaN(Date.parse(options.at))) {
          throw new EbbError('bad_arguments', '--at must be a time as ISO 8601')
        }
        if (options.keyring && options.at !== undefined) {
          throw new EbbError(
            'bad_arguments',
            'the keyring is restored to the end of its log: its older keys are destroyed',
          )
        }
        const done = await restorePostgres(deps, {
          folder: options.to,
          kind: options.keyring ? 'keyring' : 'postgres',
          ...(options.at !== undefined && { untilMs: Date.parse(options.at) }),
        })
        console.log(
          `base backup of ${new Date(done.takenAtMs).toISOString()} with ${done.segments} log segments`,
        )
        console.log(`Start Postgres on ${options.to}, reachable by you alone, then run:`)
        console.log('  ebb restore journal --url postgres://…')
        console.log('and let nobody else in before it has ended.')
      }),
    )
  command
    .command('journal')
    .description('carry out again, in a restored Postgres, every erasure of the journal')
    .requiredOption('--url <url>', 'the restored database')
    .action(({ url }: { url: string }) =>
      withDeps(async (deps) => {
        const journal = await readCheckedJournal(deps)
        const { erasures, rows } = await eraseFromRestored(url, journal)
        console.log(`${erasures} erasures carried out again, ${rows} rows deleted`)
      }),
    )
}

async function withDeps(work: (deps: RestoreDeps) => Promise<void>): Promise<void> {
  const { config } = await readPlatformConfig()
  const logger = createLogger('restore', config.logLevel)
  const s3 = createS3(config)
  try {
    await work({
      config,
      s3,
      sealer: createJournalSealer(await openKeyProvider(config)),
      countIngestMembers: () => countIngestMembers(config, logger),
      report: (line) => console.log(line),
    })
  } finally {
    s3.close()
  }
}
