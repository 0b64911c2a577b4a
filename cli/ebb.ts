import { Command } from 'commander'
import { EbbError } from '../runtime/errors.ts'
import type { DefineVerb } from './verb.ts'

// One line a verb. A file is loaded only when its verb is asked for: `ebb --help` must not wait for Temporal's client.
const VERBS: [name: string, load: () => Promise<{ define: DefineVerb }>, summary: string][] = [
  ['up', () => import('./up.ts'), 'start the engines and every process, until Ctrl-C'],
  ['down', () => import('./down.ts'), 'stop what `ebb up` started'],
  ['status', () => import('./status.ts'), 'show engines, processes, their health and the lag'],
  ['migrate', () => import('./migrate.ts'), 'bring databases and topics up to date'],
  ['app', () => import('./app.ts'), 'register an app and get its write key'],
  ['token', () => import('./token.ts'), 'make, list and revoke tokens of the gateway'],
  ['audit', () => import('./audit.ts'), 'verify the audit log'],
  ['keys', () => import('./keys.ts'), 'show the wrapping keys, or rotate them'],
  ['send', () => import('./send.ts'), 'send events from a file or a generator'],
  ['etl', () => import('./etl.ts'), 'run the daily ETL for a day, or backfill several'],
  ['report', () => import('./report.ts'), 'write the business report of a day'],
  ['erase', () => import('./erase.ts'), 'erase a person, follow the request, answer for it'],
  ['backup', () => import('./backup.ts'), 'take, list and expire backups'],
  ['restore', () => import('./restore.ts'), 'bring back a backup, without those who were erased since'],
  ['verify', () => import('./verify.ts'), 'verify a certificate of erasure, offline'],
  ['log', () => import('./log.ts'), 'audit the log of certificates, prove one anew, its keys'],
]

async function main(argv: string[]): Promise<void> {
  const program = new Command('ebb')
    .description('Event analytics that can forget, and can prove it')
    .showHelpAfterError('(ebb --help lists the verbs)')
    // Options stay where they stand: `ebb report gdpr --month` is not `ebb report --month`.
    .enablePositionalOptions()
  const asked = argv[2] === 'help' ? argv[3] : argv[2]
  for (const [name, load, summary] of VERBS) {
    const command = program.command(name).description(summary)
    if (name !== asked) continue
    const { define } = await load()
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
