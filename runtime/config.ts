import { join, resolve } from 'node:path'
import { z } from 'zod'
import { EbbError } from './errors.ts'
import { PROJECT_ROOT } from './project-root.ts'

const DAY_S = 86_400
const seconds = (preset: number) => z.coerce.number().min(0).default(preset)

const REPORTS_FOLDER = join(PROJECT_ROOT, 'reports/output')

/**
 * The environment, read once at the start of each process. docs/configuration.md lists every key.
 * An engine whose URL is given here is used as it is, and nothing is started for it.
 */
const Environment = z.object({
  EBB_HOME: z.string().default('.ebb'),
  EBB_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  EBB_KAFKA_BROKERS: z.string().default('127.0.0.1:9092'),
  /** Put before every topic and consumer group name, so that test runs share a broker without meeting. */
  EBB_TOPIC_PREFIX: z.string().default(''),
  EBB_CLICKHOUSE_URL: z.url().default('http://default@127.0.0.1:8123'),
  EBB_CLICKHOUSE_DATABASE: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,40}$/)
    .default('ebb'),
  /** Name of a ClickHouse cluster: Replicated engines and ON CLUSTER from the same SQL; '' for one server. */
  EBB_CLICKHOUSE_CLUSTER: z.string().regex(/^\w*$/).default(''),
  /** Memory that the development server's engine may count, in bytes. */
  EBB_CLICKHOUSE_MEMORY_BYTES: z.coerce.number().int().min(500_000_000).default(1_200_000_000),
  /** Password of the analysts' user `bi`; '' leaves users as they are. */
  EBB_BI_PASSWORD: z.string().default(''),
  EBB_POSTGRES_URL: z.url().default('postgres://ebb@127.0.0.1:5432/ebb'),
  EBB_KEYRING_URL: z.url().default('postgres://ebb@127.0.0.1:5432/keyring'),
  EBB_TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  EBB_TEMPORAL_NAMESPACE: z.string().default('default'),
  EBB_TEMPORAL_TASK_QUEUE: z.string().default('ebb'),
  EBB_TEMPORAL_UI_URL: z.url().default('http://127.0.0.1:8233'),
  EBB_S3_ENDPOINT: z.url().default('http://127.0.0.1:7070'),
  EBB_S3_ACCESS_KEY: z.string().default('ebb'),
  EBB_S3_SECRET_KEY: z.string().default('ebb-development'),
  EBB_COLLECTOR_HOST: z.string().default('127.0.0.1'),
  EBB_COLLECTOR_PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  /** 0 picks a free port; the process logs it. */
  EBB_METRICS_PORT: z.coerce.number().int().min(0).max(65_535).default(0),
  /** JSON file with event definitions that are added to the built-in ones; '' for none. */
  EBB_EVENT_DEFINITIONS: z.string().default(''),
  /** File of the wrapping keys (mode 0600), made at the first start. Default: `<EBB_HOME>/keys.json`. */
  EBB_KEY_FILE: z.string().default(''),
  /** Folder of reports and alerts. Default: `reports/output` of the project, wherever the worker was started. */
  EBB_REPORTS_FOLDER: z.string().default(''),
  /** An operator's word for one start, see docs/operating-ingest.md; '' for none. */
  EBB_INGEST_RECOVER: z.enum(['', 'rewind']).default(''),
  EBB_GATEWAY_HOST: z.string().default('127.0.0.1'),
  EBB_GATEWAY_PORT: z.coerce.number().int().min(0).max(65_535).default(8081),
  /** Seconds in which a request can still be cancelled, after the block. */
  EBB_ERASE_GRACE_S: seconds(0),
  /** Seconds that a shared physical deletion waits for company. */
  EBB_ERASE_BATCH_S: seconds(30),
  /** Bytes of the largest table of the vault that an erasure writes anew, which keeps everybody out of it while it lasts. */
  EBB_ERASE_REWRITE_MAX_BYTES: z.coerce.number().int().min(0).default(268_435_456),
  /** Seconds after which a request without a certificate is an alert; the law's bound is 30 days. */
  EBB_ERASE_DUE_S: seconds(24 * 3_600),
  /** Seconds that a collector may go without having seen the head of `subject_states`; then it answers 503. */
  EBB_LEASE_S: seconds(5),
  EBB_BACKUP_RETENTION_S: seconds(30 * DAY_S),
  /** The keyring's backups live shorter: a secret is gone only when they are. */
  EBB_KEYRING_BACKUP_RETENTION_S: seconds(DAY_S),
  /** Age beyond which no app's events are taken, and so how long the id of an erased person stays suppressed. Default: the app's. */
  EBB_SUPPRESS_S: z.coerce.number().min(0).optional(),
  /** Retention of `events`, and segment time, of the topics that Ebb makes. */
  EBB_EVENTS_RETENTION_S: seconds(DAY_S),
  /** The verifier's own credentials; default: those of everyone. */
  EBB_VERIFIER_POSTGRES_URL: z.string().default(''),
  EBB_VERIFIER_KEYRING_URL: z.string().default(''),
  EBB_VERIFIER_CLICKHOUSE_URL: z.string().default(''),
  EBB_VERIFIER_S3_ACCESS_KEY: z.string().default(''),
  EBB_VERIFIER_S3_SECRET_KEY: z.string().default(''),
  /** For AWS KMS; default: where AWS's SDK finds them. */
  EBB_VERIFIER_AWS_ACCESS_KEY_ID: z.string().default(''),
  EBB_VERIFIER_AWS_SECRET_ACCESS_KEY: z.string().default(''),
  /** What a bucket policy calls the verifier; then migrations write the buckets' policies. '' leaves policies as they are. */
  EBB_VERIFIER_S3_PRINCIPAL: z
    .string()
    // A policy for everybody would open the archive, the backups and the log to the world.
    .regex(/^[^*?]*$/, 'must name one account')
    .default(''),
  /** Folder of the verifier's signing keys (0700). Default: `<EBB_HOME>/verifier`. */
  EBB_VERIFIER_FOLDER: z.string().default(''),
  /** Name of the transparency log, as in its checkpoints. */
  EBB_LOG_ORIGIN: z.string().default('ebb.local/log'),
  /** Who issues certificates, for people to read. */
  EBB_ISSUER: z.string().default('Ebb development'),
  /** URLs of witnesses, separated by commas. */
  EBB_WITNESSES: z.string().default(''),
  EBB_WITNESS_HOST: z.string().default('127.0.0.1'),
  EBB_WITNESS_PORT: z.coerce.number().int().min(0).max(65_535).default(8082),
  /** Folder of the witness's key and state. Default: `<EBB_HOME>/witness`. */
  EBB_WITNESS_FOLDER: z.string().default(''),
  /** File with the public keys of the logs that the witness watches. Default: `<EBB_VERIFIER_FOLDER>/keys.pub`. */
  EBB_WITNESS_LOGS: z.string().default(''),
  /** `file`, or `kms:<region>` for AWS KMS. */
  EBB_KEY_PROVIDER: z
    .string()
    .regex(/^(file|kms:[a-z0-9-]+)$/)
    .default('file'),
  EBB_KMS_ENDPOINT: z.string().default(''),
  /** Put before every bucket name, so that tests share a server. Default `ebb-`. */
  EBB_BUCKET_PREFIX: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,30}$/)
    .default('ebb-'),
})

/** Half of one, with everyone's other half, would be refused by the server with no word of the reason. */
const PAIRS = [
  ['EBB_VERIFIER_S3_ACCESS_KEY', 'EBB_VERIFIER_S3_SECRET_KEY'],
  ['EBB_VERIFIER_AWS_ACCESS_KEY_ID', 'EBB_VERIFIER_AWS_SECRET_ACCESS_KEY'],
] as const

const Checked = Environment.superRefine((env, context) => {
  for (const [one, other] of PAIRS) {
    if (Boolean(env[one]) === Boolean(env[other])) continue
    context.addIssue({ code: 'custom', path: [env[one] ? other : one], message: 'half of a pair is missing' })
  }
})

export interface Config {
  home: string
  logLevel: z.infer<typeof Environment>['EBB_LOG_LEVEL']
  kafka: { brokers: string[]; topicPrefix: string }
  /** `database` holds the tables; the analysts' views are in `biDatabase`: `bi` or `bi_…`, since a grant can match a prefix only. */
  clickhouse: {
    url: string
    database: string
    biDatabase: string
    cluster: string
    biPassword: string
    memoryBytes: number
  }
  postgres: { url: string; keyringUrl: string }
  temporal: { address: string; namespace: string; taskQueue: string; uiUrl: string }
  s3: { endpoint: string; accessKey: string; secretKey: string; bucketPrefix: string }
  gateway: { host: string; port: number }
  /** Durations in milliseconds, unless they say otherwise. */
  privacy: {
    graceMs: number
    batchMs: number
    /** Bytes. */
    largestRewriteBytes: number
    dueMs: number
    leaseMs: number
    backupRetentionMs: number
    keyringBackupRetentionMs: number
    /** undefined: the app's maximum age of events. */
    suppressMs: number | undefined
    eventsRetentionMs: number
  }
  verifier: {
    postgresUrl: string
    keyringUrl: string
    clickhouseUrl: string
    s3: Config['s3']
    /** What bucket policies call it; '' leaves policies as they are. */
    s3Principal: string
    /** undefined: where AWS's SDK finds them. */
    aws: { accessKeyId: string; secretAccessKey: string } | undefined
    folder: string
    taskQueue: string
  }
  log: { origin: string; issuer: string; witnesses: string[] }
  witness: { host: string; port: number; folder: string; logsFile: string }
  keyProvider: { kind: 'file' } | { kind: 'kms'; region: string; endpoint: string }
  collector: { host: string; port: number }
  metricsPort: number
  /** True: a partition whose offsets are lost is taken up from what ClickHouse holds. */
  ingestRewinds: boolean
  eventDefinitionsFile: string
  keyFile: string
  /** Absolute path. */
  reportsFolder: string
}

/**
 * Reads the configuration out of an environment.
 * @throws EbbError `bad_config`, naming each key that is wrong (never its value).
 */
export function readConfig(environment: Record<string, string | undefined> = process.env): Config {
  const parsed = Checked.safeParse(environment)
  if (!parsed.success) {
    const keys = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new EbbError('bad_config', `environment: ${keys.join('; ')}`)
  }
  const env = parsed.data
  const home = resolve(env.EBB_HOME)
  const s3 = {
    endpoint: env.EBB_S3_ENDPOINT,
    accessKey: env.EBB_S3_ACCESS_KEY,
    secretKey: env.EBB_S3_SECRET_KEY,
    bucketPrefix: env.EBB_BUCKET_PREFIX,
  }
  return {
    home,
    logLevel: env.EBB_LOG_LEVEL,
    kafka: { brokers: env.EBB_KAFKA_BROKERS.split(','), topicPrefix: env.EBB_TOPIC_PREFIX },
    clickhouse: {
      url: env.EBB_CLICKHOUSE_URL,
      database: env.EBB_CLICKHOUSE_DATABASE,
      biDatabase: env.EBB_CLICKHOUSE_DATABASE === 'ebb' ? 'bi' : `bi_${env.EBB_CLICKHOUSE_DATABASE}`,
      cluster: env.EBB_CLICKHOUSE_CLUSTER,
      biPassword: env.EBB_BI_PASSWORD,
      memoryBytes: env.EBB_CLICKHOUSE_MEMORY_BYTES,
    },
    postgres: { url: env.EBB_POSTGRES_URL, keyringUrl: env.EBB_KEYRING_URL },
    temporal: {
      address: env.EBB_TEMPORAL_ADDRESS,
      namespace: env.EBB_TEMPORAL_NAMESPACE,
      taskQueue: env.EBB_TEMPORAL_TASK_QUEUE,
      uiUrl: env.EBB_TEMPORAL_UI_URL,
    },
    s3,
    gateway: { host: env.EBB_GATEWAY_HOST, port: env.EBB_GATEWAY_PORT },
    privacy: {
      graceMs: env.EBB_ERASE_GRACE_S * 1_000,
      batchMs: env.EBB_ERASE_BATCH_S * 1_000,
      largestRewriteBytes: env.EBB_ERASE_REWRITE_MAX_BYTES,
      dueMs: env.EBB_ERASE_DUE_S * 1_000,
      leaseMs: env.EBB_LEASE_S * 1_000,
      backupRetentionMs: env.EBB_BACKUP_RETENTION_S * 1_000,
      keyringBackupRetentionMs: env.EBB_KEYRING_BACKUP_RETENTION_S * 1_000,
      suppressMs: env.EBB_SUPPRESS_S === undefined ? undefined : env.EBB_SUPPRESS_S * 1_000,
      eventsRetentionMs: env.EBB_EVENTS_RETENTION_S * 1_000,
    },
    verifier: {
      postgresUrl: env.EBB_VERIFIER_POSTGRES_URL || env.EBB_POSTGRES_URL,
      keyringUrl: env.EBB_VERIFIER_KEYRING_URL || env.EBB_KEYRING_URL,
      clickhouseUrl: env.EBB_VERIFIER_CLICKHOUSE_URL || env.EBB_CLICKHOUSE_URL,
      s3: {
        ...s3,
        accessKey: env.EBB_VERIFIER_S3_ACCESS_KEY || s3.accessKey,
        secretKey: env.EBB_VERIFIER_S3_SECRET_KEY || s3.secretKey,
      },
      s3Principal: env.EBB_VERIFIER_S3_PRINCIPAL,
      aws: env.EBB_VERIFIER_AWS_ACCESS_KEY_ID
        ? {
            accessKeyId: env.EBB_VERIFIER_AWS_ACCESS_KEY_ID,
            secretAccessKey: env.EBB_VERIFIER_AWS_SECRET_ACCESS_KEY,
          }
        : undefined,
      folder: resolve(env.EBB_VERIFIER_FOLDER || resolve(home, 'verifier')),
      taskQueue: `${env.EBB_TEMPORAL_TASK_QUEUE}-verifier`,
    },
    log: {
      origin: env.EBB_LOG_ORIGIN,
      issuer: env.EBB_ISSUER,
      witnesses: env.EBB_WITNESSES.split(',').filter((url) => url !== ''),
    },
    witness: {
      host: env.EBB_WITNESS_HOST,
      port: env.EBB_WITNESS_PORT,
      folder: resolve(env.EBB_WITNESS_FOLDER || resolve(home, 'witness')),
      logsFile: resolve(
        env.EBB_WITNESS_LOGS || resolve(env.EBB_VERIFIER_FOLDER || resolve(home, 'verifier'), 'keys.pub'),
      ),
    },
    keyProvider:
      env.EBB_KEY_PROVIDER === 'file'
        ? { kind: 'file' }
        : { kind: 'kms', region: env.EBB_KEY_PROVIDER.slice('kms:'.length), endpoint: env.EBB_KMS_ENDPOINT },
    collector: { host: env.EBB_COLLECTOR_HOST, port: env.EBB_COLLECTOR_PORT },
    metricsPort: env.EBB_METRICS_PORT,
    ingestRewinds: env.EBB_INGEST_RECOVER === 'rewind',
    eventDefinitionsFile: env.EBB_EVENT_DEFINITIONS,
    keyFile: env.EBB_KEY_FILE || resolve(home, 'keys.json'),
    reportsFolder: resolve(env.EBB_REPORTS_FOLDER || REPORTS_FOLDER),
  }
}
