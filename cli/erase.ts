import { type Command, Option } from 'commander'
import { z } from 'zod'
import type { PrivacyRequest } from '../postgres/privacy-requests.ts'
import { EbbError } from '../runtime/errors.ts'
import { NewErasure, ProofOfIdentity, RequestState } from '../schemas/erasure.ts'
import {
  faultOfHold,
  faultOfRefusal,
  REFUSAL_REASONS,
  type RefusalReason,
} from '../schemas/erasure-messages.ts'
import { readPlatformConfig } from '../services/platform-config.ts'
import type { PrivacyOffice } from './privacy-office.ts'

interface SubmitOptions {
  app?: string
  email: string[]
  userId: string[]
  anonymousId: string[]
  phone: string[]
  proof?: string
  wait?: true
  out?: string
}

const collect = (value: string, before: string[]) => [...before, value]
const say = (line: string) => process.stdout.write(`${line}\n`)

const HELP = `
An address or number finds the person whose user id it is, and everyone in the app whose profile carries it: all of them
are erased. Where a family shares an address, use --user-id.

Nothing that this command prints tells whether Ebb knows the person.`

/** `ebb erase`: takes a request of a person in, and what officers and operators can say to it. docs/erasure.md. */
export function define(erase: Command): void {
  erase
    .option('--app <app>', 'the app that knows the person')
    .option('--email <email>', 'an e-mail address of the person (repeatable, like the others)', collect, [])
    .option('--user-id <id>', "the app's user id", collect, [])
    .option('--anonymous-id <id>', 'an id from before the person signed in', collect, [])
    .option('--phone <number>', 'a phone number', collect, [])
    .option('--proof <proof>', `how the identity was proven: ${ProofOfIdentity.options.join(', ')}`)
    .option('--wait', 'wait for the first certificate and write it')
    .option('--out <folder>', 'where its files go (default: erasure-<request id>)')
    .addHelpText('after', HELP)
    .action(async (options: SubmitOptions) => {
      const wish = await readAudited('submit', () => readWish(options))
      await withOffice(async (office) => {
        const { submitAndWait } = await import('./submit-erasure.ts')
        await submitAndWait(office, wish, { wait: options.wait === true, out: options.out, say })
      })
    })
  defineReading(erase)
  defineAnswers(erase)
}

function defineReading(erase: Command): void {
  erase
    .command('status')
    .description('show where a request stands; with --out, write its newest certificate')
    .argument('<request>', 'request id')
    .option('--out <folder>', 'write certificate, proof, page and keys there')
    .action(async (request: string, options: { out?: string }, command: Command) => {
      const out = outOf(options, command)
      const requestId = await readAudited('status', () => readId(request))
      await withOffice(async (office) => {
        const { showStatus } = await import('./submit-erasure.ts')
        await showStatus(office, requestId, { out, say })
      })
    })
  erase
    .command('list')
    .description('list requests, the newest first')
    .addOption(new Option('--state <state>', 'only those in this state').choices(RequestState.options))
    .option('--json', 'print JSON, one line each')
    .action(async (options: { state?: RequestState; json?: true }, command: Command) => {
      const { app } = command.optsWithGlobals() as { app?: string }
      await withOffice(async (office) => {
        const { listRequests } = await import('../postgres/privacy-requests.ts')
        const { summariseRequest } = await import('../gateway/summarise-request.ts')
        const filter = { ...(app && { apps: [app] }), ...(options.state && { states: [options.state] }) }
        const requests = await office.audited('erase list', '-', () => listRequests(office.postgres, filter))
        for (const one of requests)
          say(options.json ? JSON.stringify(summariseRequest(one)) : describeRequest(one))
      })
    })
}

function defineAnswers(erase: Command): void {
  const answer = (name: string, description: string) =>
    erase.command(name).description(description).argument('<request>', 'request id')
  type Act = (office: PrivacyOffice, requestId: string) => Promise<string>
  const act = async (name: string, request: string, work: Act) => {
    const requestId = await readAudited(name, () => readId(request))
    await withOffice(async (office) => {
      say(await office.audited(`erase ${name}`, requestId, () => work(office, requestId)))
    })
  }

  answer('cancel', 'take a request back while nothing is destroyed yet').action((request: string) =>
    act('cancel', request, async ({ actions }, requestId) => {
      await actions.cancel(requestId)
      return 'cancelled: collection goes on'
    }),
  )
  answer('refuse', 'refuse a request by an article of law, signed and logged')
    .requiredOption('--article <article>', 'as in "GDPR Art. 12(6)"')
    .requiredOption('--reason <reason>', `what the refusal says: ${Object.keys(REFUSAL_REASONS).join(', ')}`)
    .action((request: string, { article, reason }: { article: string; reason: string }) =>
      act('refuse', request, async ({ actions }, requestId) => {
        const refusal = { article, reason: reason as RefusalReason }
        requireFaultless(faultOfRefusal(refusal))
        await actions.refuse(requestId, refusal)
        return 'refused: the signed refusal comes with `ebb erase status --out`'
      }),
    )
  answer('hold', 'keep fields of the vault back until a date, by an article of law')
    .option('--field <name>', 'name of a field (repeatable)', collect, [])
    .requiredOption('--article <article>', 'as in "GDPR Art. 17(3)(e)"')
    .requiredOption('--until <date>', 'YYYY-MM-DD, UTC')
    .action((request: string, options: { field: string[]; article: string; until: string }) =>
      act('hold', request, async ({ actions }, requestId) => {
        const { cliActor } = await import('../gateway/officer-actions.ts')
        const { field: fields, article, until } = options
        const wish = { fields, article, untilMs: readDate(until), placedBy: cliActor() }
        requireFaultless(faultOfHold(wish, Date.now()))
        return `hold ${await actions.placeHold(requestId, wish)}`
      }),
    )
  answer('release', 'end a hold before its time; what it held is erased')
    .argument('<hold>', 'hold id')
    .action((request: string, hold: string) =>
      act('release', request, async ({ actions }, requestId) => {
        await actions.releaseHold(requestId, readId(hold))
        return 'released'
      }),
    )
  answer('partial', 'certify what is erased while a store is out of reach, and name the store')
    .option('--out <folder>', 'write certificate, proof, page and keys there')
    .action((request: string, options: { out?: string }, command: Command) =>
      act('partial', request, async (office, requestId) => {
        const { certifyPartial } = await import('./submit-erasure.ts')
        return await certifyPartial(office, requestId, outOf(options, command))
      }),
    )
  answer(
    'retry',
    'try the store now that a request is blocked on; starts a saga again that was ended',
  ).action((request: string) =>
    act('retry', request, async (office, requestId) => {
      const { retryRequest } = await import('./submit-erasure.ts')
      return await retryRequest(office, requestId)
    }),
  )
}

/** `erase` itself has an option of this name, which takes it first. */
function outOf(options: { out?: string }, command: Command): string | undefined {
  return options.out ?? (command.optsWithGlobals() as { out?: string }).out
}

async function withOffice(work: (office: PrivacyOffice) => Promise<void>): Promise<void> {
  const { config } = await readPlatformConfig()
  const { withPrivacyOffice } = await import('./privacy-office.ts')
  await withPrivacyOffice(config, work)
}

/** @throws EbbError `bad_arguments`, which names options and never a value */
export function readWish(options: Omit<SubmitOptions, 'wait' | 'out'>): NewErasure {
  const of = (label: string, values: string[]) => values.map((value) => ({ label, value }))
  const wish = NewErasure.safeParse({
    app: options.app,
    proof: options.proof,
    identifiers: [
      ...of('email', options.email),
      ...of('userId', options.userId),
      ...of('anonymousId', options.anonymousId),
      ...of('phone', options.phone),
    ],
  })
  if (wish.success) return wish.data
  const wrong = new Set(wish.error.issues.map((issue: z.core.$ZodIssue) => String(issue.path[0])))
  if (wrong.has('app')) throw new EbbError('bad_arguments', '--app names the app that knows the person')
  if (wrong.has('proof')) {
    throw new EbbError(
      'bad_arguments',
      `--proof says how the identity was proven: ${ProofOfIdentity.options.join(', ')}`,
    )
  }
  throw new EbbError(
    'bad_arguments',
    'give 1 to 20 identifiers of 1 to 256 characters: --email, --user-id, --anonymous-id, --phone',
  )
}

/** One line of a list. */
export function describeRequest(request: PrivacyRequest): string {
  const { requestId, app, state, receivedAt, dueAt, certifiedAt, stuckStore } = request
  const waits = stuckStore ? ` on ${stuckStore}` : ''
  const late =
    !certifiedAt && !['closed', 'cancelled', 'refused'].includes(state) && dueAt.getTime() < Date.now()
  return `${requestId}  ${app}  ${state}${waits}  received ${receivedAt.toISOString()}${late ? '  OVERDUE' : ''}`
}

function requireFaultless(fault: string | undefined): void {
  if (fault) throw new EbbError('bad_arguments', fault)
}

/** @throws EbbError `bad_arguments`; the text may be somebody's address, and is not repeated */
function readId(text: string): string {
  if (!z.uuid().safeParse(text).success) throw new EbbError('bad_arguments', 'that is no request or hold id')
  return text.toLowerCase()
}

/**
 * Reads what is said of a person or a request. What is refused is in the audit log like what is done, unless there is no Postgres
 * to write it down; unknown options and commands are not, since they ask for nothing.
 */
async function readAudited<Result>(name: string, read: () => Result): Promise<Result> {
  try {
    return read()
  } catch (refusal) {
    await writeDown(name, refusal).catch(() => undefined)
    throw refusal
  }
}

async function writeDown(name: string, refusal: unknown): Promise<void> {
  const { withPostgres } = await import('./with-postgres.ts')
  const { createAuditLog } = await import('../postgres/audit-log.ts')
  const { audited, cliActor } = await import('../gateway/officer-actions.ts')
  const entry = { actor: cliActor(), action: `erase ${name}` }
  await withPostgres((postgres) => audited(createAuditLog(postgres), entry, () => Promise.reject(refusal)))
}

function readDate(text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  if (Number.isNaN(ms)) throw new EbbError('bad_arguments', '--until is a date as YYYY-MM-DD')
  return ms
}
