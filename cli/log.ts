import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { parseTrustedKeys } from '../certificates/trusted-keys.ts'
import { createPostgres } from '../postgres/client.ts'
import type { Config } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import { createLogger } from '../runtime/logger.ts'
import { createS3 } from '../s3/client.ts'
import { readPlatformConfig } from '../services/platform-config.ts'
import { createWitnessClient } from '../workers/verifier/ask-witness.ts'
import { auditLog } from '../workers/verifier/audit-log.ts'
import { createLogWriter } from '../workers/verifier/log-writer.ts'
import { retireKey } from '../workers/verifier/retire-key.ts'
import { proveCertificate } from './prove-certificate.ts'
import type { DefineVerb } from './verb.ts'

/** `ebb log audit|key|prove|retire-key`: the transparency log of certificates. */
export const define: DefineVerb = (log) => {
  log
    .command('audit')
    .description(
      'derive the whole log again from its leaves and compare everything; exits 1 with what differs',
    )
    .option('--key <file>', "public keys of log and certificates (default: the verifier's keys.pub)")
    .option('--json', 'print JSON')
    .action(async (options: { key?: string; json?: true }) => {
      process.exitCode = await audit(options)
    })
  log
    .command('key')
    .description('print the public keys that `ebb verify --key` takes')
    .action(async () => {
      const { config } = await readPlatformConfig()
      process.stdout.write(await readKeys(config))
    })
  log
    .command('prove')
    .description("write a certificate's proof anew, as of now, with the entries behind it")
    .argument('<certificate>', 'certificate.json')
    .action(async (certificate: string) => {
      const { config } = await readPlatformConfig()
      const s3 = createS3(config)
      try {
        const made = await proveCertificate(s3, await readKeys(config), certificate)
        process.stdout.write(`leaf ${made.index} of ${made.size}: ${made.proof}, ${made.leaves}\n`)
      } finally {
        s3.close()
      }
    })
  defineRetireKey(log)
}

function defineRetireKey(log: Command): void {
  log
    .command('retire-key')
    .description("put a new certificate key in the place of the verifier's, and log the old one's end")
    .option('--reason <reason>', 'rotation (default) or compromise', parseReason, 'rotation')
    .action(async ({ reason }: { reason: 'rotation' | 'compromise' }) => {
      const { config } = await readPlatformConfig()
      const { verifier } = config
      const postgres = createPostgres(verifier.postgresUrl, { timeoutMs: 30_000 })
      const s3 = createS3(verifier)
      const logger = createLogger('ebb', 'warn')
      const issuer = { origin: config.log.origin, issuer: config.log.issuer, now: Date.now }
      const writer = createLogWriter({
        ...issuer,
        postgres,
        postgresUrl: verifier.postgresUrl,
        s3,
        folder: verifier.folder,
        witnesses: config.log.witnesses.map((address) => createWitnessClient(address, logger)),
      })
      try {
        const done = await retireKey({ ...issuer, folder: verifier.folder, writer }, reason)
        process.stdout.write(
          `retired ${done.retired} by leaf ${done.logIndex}\nnow signs ${done.successor}\nHand keys.pub out again: ebb log key\n`,
        )
      } finally {
        await postgres.close()
        s3.close()
      }
    })
}

async function audit(options: { key?: string; json?: true }): Promise<0 | 1> {
  const { config } = await readPlatformConfig()
  const keys = parseTrustedKeys(options.key ? await readFile(options.key, 'utf8') : await readKeys(config))
  const postgres = createPostgres(config.postgres.url, { timeoutMs: 30_000 })
  const s3 = createS3(config)
  try {
    const report = await auditLog({ s3, postgres, keys })
    const ok = report.differences.length === 0
    const line = `${ok ? 'the log holds' : 'THE LOG DOES NOT HOLD'}: ${report.size} leaves, ${report.tiles} tiles, ${report.certificates} certificates`
    process.stdout.write(
      options.json ? `${JSON.stringify(report)}\n` : `${[...report.differences, line].join('\n')}\n`,
    )
    return ok ? 0 : 1
  } finally {
    await postgres.close()
    s3.close()
  }
}

async function readKeys(config: Config): Promise<string> {
  const path = join(config.verifier.folder, 'keys.pub')
  return await readFile(path, 'utf8').catch(() => {
    throw new EbbError('keys_missing', `${path} is not there: the verifier makes it at its first start`)
  })
}

function parseReason(text: string): 'rotation' | 'compromise' {
  if (text === 'rotation' || text === 'compromise') return text
  throw new InvalidArgumentError('rotation or compromise.')
}
