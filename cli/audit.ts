import { createPostgres } from '../postgres/client.ts'
import { type AuditHead, type AuditVerdict, verifyAuditLog } from '../postgres/verify-audit-log.ts'
import { EbbError } from '../runtime/errors.ts'
import { readPlatformConfig } from '../services/platform-config.ts'
import type { DefineVerb } from './verb.ts'

const PATIENCE_MS = 60_000

/** `ebb audit verify`: is the audit log as it was written? Exit status 1 when it is not. It is only read, by no officer's act. */
export const define: DefineVerb = (audit) => {
  audit
    .command('verify')
    .description('derive the chain of the audit log anew and name the first row that does not hold')
    .option('--head <seq:hash>', 'a head that an earlier run printed: the log must still contain it')
    .option('--json', 'print JSON')
    .action(async (options: { head?: string; json?: true }) => {
      const known = options.head === undefined ? undefined : parseHead(options.head)
      const { config } = await readPlatformConfig()
      const postgres = createPostgres(config.postgres.url, { connections: 1, timeoutMs: PATIENCE_MS })
      try {
        const verdict = await verifyAuditLog(postgres, known)
        process.stdout.write(`${options.json ? verdictJson(verdict) : describeVerdict(verdict)}\n`)
        if (verdict.broken) process.exitCode = 1
      } finally {
        await postgres.close()
      }
    })
}

/** `17:9f…`. @throws EbbError `bad_arguments` */
export function parseHead(text: string): AuditHead {
  const match = /^([1-9]\d{0,17}):([0-9a-f]{64})$/.exec(text)
  if (!match) throw new EbbError('bad_arguments', '--head must be <number>:<64 hex digits>')
  return { seq: BigInt(match[1]!), hash: match[2]! }
}

const FAULTS = {
  missing: 'is not there',
  changed: 'is not as it was written',
  unchained: 'does not follow the row before it',
  'rolled-back': 'is not the row that was known',
} as const

export function describeVerdict({ rows, head, broken }: AuditVerdict): string {
  if (broken) return `BROKEN  row ${broken.seq} ${FAULTS[broken.fault]}; ${rows} rows before it hold`
  if (rows === 0) return 'sound: the audit log is empty'
  return `sound: ${rows} rows\nhead ${head.seq}:${head.hash}\nKeep the head elsewhere: only it can tell that the end was cut off.`
}

function verdictJson({ rows, head, broken }: AuditVerdict): string {
  return JSON.stringify({
    sound: broken === null,
    rows,
    head: `${head.seq}:${head.hash}`,
    broken: broken && { row: Number(broken.seq), fault: broken.fault },
  })
}
