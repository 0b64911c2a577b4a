import { z } from 'zod'
import { clickhousePlaces } from './data-map-clickhouse.ts'
import { kafkaPlaces } from './data-map-kafka.ts'
import { postgresPlaces } from './data-map-postgres.ts'
import { s3Places } from './data-map-s3.ts'
import type { DataPlace } from './data-place.ts'

/**
 * Every place that holds data, column by column. Erasure, retention, export and the documents loop over it, and
 * tests/int/data-map.test.ts compares it with the live stores: a column, topic or bucket that is not listed fails, and so does
 * one that is listed and not there.
 */
export const DATA_MAP: readonly DataPlace[] = [
  ...clickhousePlaces,
  ...postgresPlaces,
  ...kafkaPlaces,
  ...s3Places,
]

/** What an engine leaves behind a deletion, how it is made to go, and how one sees that it went. */
export const Residue = z.object({
  engine: z.enum(['clickhouse', 'postgres', 'kafka', 's3', 'temporal', 'ebb']),
  residue: z.string(),
  purge: z.string(),
  check: z.string(),
})
export type Residue = z.infer<typeof Residue>

export const RESIDUES: readonly Residue[] = [
  {
    engine: 'clickhouse',
    residue: 'inactive parts, until old_parts_lifetime has passed',
    purge: 'short old_parts_lifetime and cleanup periods on the server',
    check: 'system.parts where not active, and the table folders, hold no part older than the mutation',
  },
  {
    engine: 'clickhouse',
    residue: 'detached parts',
    purge: 'ALTER TABLE … DROP DETACHED PART',
    check: 'system.detached_parts is empty',
  },
  {
    engine: 'clickhouse',
    residue: 'shadow/ folders of FREEZE',
    purge: 'ALTER TABLE … UNFREEZE of each name that the shadow folder has, where the server shows it',
    check: 'no shadow folder',
  },
  {
    engine: 'clickhouse',
    residue: 'mutation_*.txt, which keep the literals of ALTER … DELETE',
    purge:
      'delete by a sub-select from a helper table; texts of others are forgotten with the next erasure (KILL MUTATION of what is done)',
    check: 'system.mutations.command holds no token',
  },
  {
    engine: 'clickhouse',
    residue:
      'query_log, query_thread_log, query_views_log, text_log, part_log, processors_profile_log (a real server)',
    purge: 'tokens go as query parameters; a TTL of days on each log, which is the server’s to set',
    check: 'none: the verifier has no right to read what others asked',
  },
  {
    engine: 'clickhouse',
    residue: 'staging partitions, hard links of a published day',
    purge: 'the day is aggregated again after an erasure',
    check: 'staging and published partition have the same parts',
  },
  {
    engine: 'clickhouse',
    residue: 'erase_tokens, erase_days: tokens of a batch under way, and the days that its rows fell on',
    purge:
      'the batch’s partition is dropped when its rows are gone, the days’ when their aggregates are counted again',
    check: 'both are empty and have no inactive part once no batch is under way',
  },
  {
    engine: 'clickhouse',
    residue: 'rederive_* tables: aggregates that are being counted again, beside the live ones',
    purge: 'dropped when they have been swapped in, and before the next recount',
    check: 'system.tables has none while no recount runs',
  },
  {
    engine: 'clickhouse',
    residue: 'BACKUP files in S3',
    purge: 'expiry of backups',
    check: 'no backup is older than its expiry',
  },
  {
    engine: 'clickhouse',
    residue: 'copies by BACKUP on the server’s own disks, made without Ebb',
    purge: 'the development server refuses them; on a real server they are with whoever makes them',
    check: 'no such file on the disks of the server',
  },
  {
    engine: 'clickhouse',
    residue:
      'spool of the development server: bodies of inserts and results on their way, /dev/shm/ebb-clickhouse-<pid> (or the temporary folder)',
    purge:
      'each file goes at the end of its statement, the folder with the server, that of a killed one at the next start',
    check: 'no file in it while nothing runs; no folder of a process that is gone',
  },
  {
    engine: 'clickhouse',
    residue:
      'database ebb_restricted of the development server: texts of running statements of analysts and of the verifier (with tokens), in memory',
    purge: 'the view is dropped at the end of its statement; the database does not outlive the server',
    check: 'system.tables lists none in it while nothing runs',
  },
  {
    engine: 'clickhouse',
    residue:
      '<data>/ebb-config of the development server: password hashes of its users, process id; no person of an app',
    purge: 'written anew at each start',
    check: 'its files name users of the server only',
  },
  {
    engine: 'clickhouse',
    residue: 'table archive_erasure: tokens of a running batch, in memory only',
    purge: 'dropped at the end of the archive’s erasure; the next one replaces what a crash left',
    check: 'the table is not there while no batch runs',
  },
  {
    engine: 'clickhouse',
    residue:
      'database <name>_restoring: a backup on its way back, erased people included until the journal is carried out',
    purge: 'dropped at the end of a restore, and at the beginning of the next; nobody is granted it',
    check: 'the database is not there while no restore runs',
  },
  {
    engine: 'postgres',
    residue: 'write-ahead log that the replication slot of the backups keeps until it is copied',
    purge: 'the workflow shipWal, every two minutes; a checkpoint then removes the segments',
    check: 'restart_lsn of the slot is younger than the deletion',
  },
  {
    engine: 'postgres',
    residue: 'ebb_restored_log in the data folder of a restored server: segments of the log',
    purge: 'delete the folder when recovery has ended',
    check: 'the folder is not there',
  },
  {
    engine: 'postgres',
    residue: 'dead tuples',
    purge: 'VACUUM (FULL where pages must be rewritten)',
    check: 'pg_stat_user_tables.n_dead_tup; pageinspect where installed',
  },
  {
    engine: 'postgres',
    residue: 'write-ahead log and its archive',
    purge: 'checkpoint, switch and recycling; expiry of the archive',
    check: 'the oldest WAL segment is younger than the deletion',
  },
  {
    engine: 'postgres',
    residue: 'pg_statistic: samples of column values',
    purge: 'ANALYZE after the deletion',
    check: 'pg_stats of the columns hold no erased value',
  },
  {
    engine: 'postgres',
    residue: 'server log, when statements are logged',
    purge: 'log_statement = none; values go as parameters, log_parameter_max_length = 0',
    check: 'settings are as said',
  },
  {
    engine: 'kafka',
    residue: 'segments behind the log start offset, .deleted files',
    purge: 'segment.ms, retention, file.delete.delay.ms',
    check: 'the oldest segment of each partition is younger than the block',
  },
  {
    engine: 'kafka',
    residue: 'records under a newer one in compacted topics',
    purge: 'compaction after min.compaction.lag.ms',
    check: 'dump of the segments',
  },
  {
    engine: 'kafka',
    residue: 'tombstones of subject_states, whose keys begin with a handle',
    purge:
      'delete.retention.ms, then compaction of their segment, which a later record closes (touch-topics.ts)',
    check: 'the verifier reads both topics from their beginning; drills dump the segments',
  },
  {
    engine: 's3',
    residue: 'versions and delete markers',
    purge: 'delete each version',
    check: 'ListObjectVersions is empty for the prefix',
  },
  {
    engine: 's3',
    residue: 'unfinished multipart uploads',
    purge: 'AbortMultipartUpload',
    check: 'ListMultipartUploads is empty',
  },
  {
    engine: 'temporal',
    residue: 'workflow histories and visibility records',
    purge: 'histories carry no identifiers, only request ids, days and counts; retention of the namespace',
    check: 'histories are searched for identifiers in tests',
  },
  {
    engine: 'ebb',
    residue:
      'key file: wrapping keys of destroyed shard versions in the file, its old inode, its drafts (<file>.new-*, <file>.old-*), and copies of it',
    purge:
      'the old file is overwritten before it is unlinked, also what a process that died left; a KMS key is scheduled for deletion; nothing of ours copies the file',
    check:
      'ebb keys status lists no key that wraps nothing; no such file beside the key file; the end of a KMS key’s waiting period',
  },
  {
    engine: 'ebb',
    residue: 'shard keys in the memory of collectors and workers, after another process has destroyed them',
    purge: 'forgotten and overwritten at the next refresh, a minute at most while the process has work',
    check: 'an open keyring does not find a destroyed version',
  },
  {
    engine: 'ebb',
    residue: 'our own logs, temporary files (spooled insert bodies), in-memory caches',
    purge:
      'logs carry codes and counts only; spools are unlinked at the end and at the start; caches are bounded in time',
    check: 'tests search the logs for what went in',
  },
  {
    engine: 'ebb',
    residue:
      'reports/output: reports and charts by day and month (groups of 5 people or more), and what was printed or copied of them',
    purge:
      'delete the files; a day or month that is counted again after an erasure is written anew under the same name',
    check: 'no file of an affected day or month is older than the erasure',
  },
  {
    engine: 'ebb',
    residue: 'reports/output/alerts.jsonl: counts of rows that drifted, of groups of any size, for operators',
    purge: 'delete lines of days whose drift is settled',
    check: 'no line is older than its use',
  },
]
