import { Command } from 'commander'
import { EbbError } from '../runtime/errors.ts'
import type { DefineVerb } from './verb.ts'

// One line a verb. A file is loaded only when its verb is asked for: `ebb --help` must not wait for Temporal's client.
const VERBS = [
  { name: 'up', file: './up.ts', summary: 'start the engines and every process, until Ctrl-C' },
  { name: 'down', file: './down.ts', summary: 'stop what `ebb up` started' },
  { name: 'status', file: './status.ts', summary: 'show engines, processes, their health and the lag' },
  { name: 'migrate', file: './migrate.ts', summary: 'bring databases and topics up to date' },
  { name: 'app', file: './app.ts', summary: 'register an app and get its write key' },
  { name: 'token', file: './token.ts', summary: 'make, list and revoke tokens of the gateway' },
  { name: 'audit', file: './audit.ts', summary: 'verify the audit log' },
  { name: 'keys', file: './keys.ts', summary: 'show the wrapping keys, or rotate them' },
  { name: 'send', file: './send.ts', summary: 'send events from a file or a generator' },
  { name: 'etl', file: './etl.ts', summary: 'run the daily ETL for a day, or backfill several' },
  { name: 'report', file: './report.ts', summary: 'write the business report of a day' },
  { name: 'erase', file: './erase.ts', summary: 'erase a person, follow the request, answer for it' },
  { name: 'backup', file: './backup.ts', summary: 'take, list and expire backups' },
  {
    name: 'restore',
    file: './restore.ts',
    summary: 'bring back a backup, without those who were erased since',
  },
  { name: 'verify', file: './verify.ts', summary: 'verify a certificate of erasure, offline' },
  {
    name: 'log',
    file: './log.ts',
    summary: 'audit the log of certificates, prove one anew, its keys',
  },
] as const

async function main(argv: string[]): Promise<void> {
  const program = new Command('ebb')
    .description('Event analytics that can forget, and can prove it')
    .showHelpAfterError('(ebb --help lists the verbs)')
    // Options stay where they stand: `ebb report gdpr --month` is not `ebb report --month`.
    .enablePositionalOptions()
  const asked = argv[2] === 'help' ? argv[3] : argv[2]
  for (const verb of VERBS) {
    const command = program.command(verb.name).description(verb.summary)
    if (verb.name !== asked) continue
    const { define } = (await import(new URL(verb.file, import.meta.url).href)) as { define: DefineVerb }
    define(command)
  }
  await program.parseAsync(argv)
}

main(process.argv).catch((error: unknown) => {
  // A code means that we know what went wrong and have said it: a stack would only hide the sentence.
  process.stderr.write(
    error instanceof EbbError ? `ebb: ${error.message}\n` : `ebb: ${String((error as Error).stack)}\n`,
  )
  process.exit(1)
})
