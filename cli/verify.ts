import { readFile } from 'node:fs/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { decodeBase64 } from '../certificates/canonical-base64.ts'
import { CertificateError } from '../certificates/certificate-error.ts'
import { openCheckpoint } from '../certificates/open-checkpoint.ts'
import { decodeBundle } from '../certificates/tiles.ts'
import { parseTrustedKeys, type TrustedKeys } from '../certificates/trusted-keys.ts'
import { type Verification, type VerifyInput, verifyCertificate } from '../certificates/verify-certificate.ts'
import { IdentifierLabel } from '../schemas/certificate.ts'

interface Options {
  proof?: string
  key: string[]
  witnessKey: string[]
  quorum?: number
  salt?: Buffer
  email?: string
  userId?: string
  anonymousId?: string
  phone?: string
  leaves?: string
  dataMap?: string
  known?: string
  consistency?: string
  maxAgeDays?: number
  json?: true
}

/** `ebb verify`: no network, no database, nothing but files and keys. Exit status 0 when valid, 1 when not. */
export function define(command: Command): void {
  const collect = (value: string, before: string[]) => [...before, value]
  command
    .argument('<certificate>', 'certificate.json')
    .requiredOption('--key <key>', 'file of public keys, or one key as text (repeatable)', collect, [])
    .option('--proof <file>', "the .tlog-proof (default: the certificate's name with that ending)")
    .option('--witness-key <key>', 'key of a witness that must have cosigned (repeatable)', collect, [])
    .option('--quorum <n>', 'how many of the witnesses are enough (default: all)', parseCount)
    .option(
      '--leaves <file>',
      'entries of the log, one a line or as `tile/entries/…` gives them: all, or all after the certificate',
    )
    .option('--salt <hex>', 'the salt that came with the certificate', parseSalt)
    .option('--email <email>', 'with --salt: whose certificate it should be')
    .option('--user-id <id>', 'with --salt: whose certificate it should be')
    .option('--anonymous-id <id>', 'with --salt: whose certificate it should be')
    .option('--phone <number>', 'with --salt: whose certificate it should be, as it was typed in the request')
    .option('--data-map <hash>', 'SHA-256 of the data map that it should cover')
    .option('--known <file>', 'newest checkpoint of the log that you have seen')
    .option('--consistency <file>', 'with --known: hashes that lead from it to the proof, one a line')
    .option('--max-age-days <n>', "refuse when the log's head is older", parseCount)
    .option('--json', 'print the verdict as JSON')
    .action(async (certificate: string, options: Options) => {
      process.exitCode = await runVerify(certificate, options, (line) => process.stdout.write(`${line}\n`))
    })
}

/** @returns the exit status. Files that cannot be read and keys that are none end as a refusal, too. */
export async function runVerify(
  certificate: string,
  options: Options,
  print: (line: string) => void,
  nowSeconds = Math.floor(Date.now() / 1000),
): Promise<0 | 1> {
  let verdict: Verification
  try {
    verdict = verifyCertificate(await readInput(certificate, options, nowSeconds))
  } catch (error) {
    print(`NOT VERIFIED  ${sayWhy(error)}`)
    return 1
  }
  if (options.json) print(JSON.stringify(verdict))
  else for (const line of formatVerdict(verdict)) print(line)
  return verdict.ok ? 0 : 1
}

async function readInput(path: string, options: Options, nowSeconds: number): Promise<VerifyInput> {
  const proof = options.proof ?? path.replace(/(\.json)?$/, '.tlog-proof')
  const keys = await readKeys([...options.key, ...options.witnessKey])
  const identifier = readIdentifier(options)
  const input: VerifyInput = { certificate: await readFile(path), proof: await readFile(proof), keys }
  if (options.quorum !== undefined) input.witnessQuorum = options.quorum
  if (options.dataMap !== undefined) input.dataMap = options.dataMap
  if (identifier) input.subject = identifier
  if (options.leaves) input.leaves = await readLeaves(options.leaves)
  if (options.known) {
    const { head } = openCheckpoint(await readFile(options.known, 'utf8'), keys.logs)
    const consistency = options.consistency ? (await readLines(options.consistency)).map(decodeBase64) : []
    input.known = { size: head.size, root: head.root, consistency }
  }
  if (options.maxAgeDays !== undefined) input.freshAfterSeconds = nowSeconds - options.maxAgeDays * 86_400
  return input
}

function readIdentifier({ salt, ...options }: Options): VerifyInput['subject'] {
  const given = IdentifierLabel.options.filter((one) => options[one] !== undefined)
  if (given.length > 1)
    throw new CertificateError('subject-mismatch', 'one identifier at a time can be compared')
  const [label] = given
  if (!salt && !label) return undefined
  if (!salt)
    throw new CertificateError('subject-mismatch', 'an identifier can only be compared with the salt: --salt')
  if (label) return { salt, label, value: options[label]! }
  throw new CertificateError(
    'subject-mismatch',
    'a salt says nothing alone: add --email, --user-id, --anonymous-id or --phone',
  )
}

/** A key given as text has two plus signs; everything else is a file. */
async function readKeys(given: string[]): Promise<TrustedKeys> {
  const texts = await Promise.all(
    given.map((text) => (/^\S+\+[0-9a-f]{8}\+\S+$/.test(text) ? text : readFile(text, 'utf8'))),
  )
  return parseTrustedKeys(texts.join('\n'))
}

/** Entries one a line, or as the log's own bundles hold them, one after the other: there a length stands where a leaf begins with `{`. */
async function readLeaves(file: string): Promise<Buffer[]> {
  const bytes = await readFile(file)
  if (bytes.length === 0 || bytes[0] === '{'.charCodeAt(0))
    return (await readLines(file)).map((line) => Buffer.from(line))
  try {
    return decodeBundle(bytes)
  } catch (cause) {
    throw new CertificateError('leaf-malformed', 'the bundle ends within an entry', { cause })
  }
}

async function readLines(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8')
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

/** What people read: each check on its line, the verdict last. */
export function formatVerdict({ ok, code, checks, asOf, cosignedBy, certificate }: Verification): string[] {
  const lines = checks.map((check) => {
    const unchecked = check.reason?.startsWith('not checked')
    const mark = check.ok ? (unchecked ? '-   ' : 'ok  ') : 'FAIL'
    return `${mark}  ${check.name.padEnd(20)}  ${check.reason ?? ''}`.trimEnd()
  })
  lines.push('')
  if (!ok || !asOf || !certificate) return [...lines, `NOT VALID  ${code}: ${checks.at(-1)?.reason ?? ''}`]
  const request = 'request' in certificate ? `, request ${certificate.request}` : ''
  lines.push(`VALID  ${certificate.kind}${request}, issued ${certificate.issuedAt}`)
  lines.push(`as of log size ${asOf.size}, time ${asOf.time} (dated by ${asOf.datedBy})`)
  if (checks.some(({ name, reason }) => name === 'supersession' && reason?.startsWith('not checked'))) {
    lines.push('whether it was withdrawn by a later leaf of that log was not checked: give --leaves')
  }
  lines.push(`cosigned by: ${cosignedBy.length > 0 ? cosignedBy.join(', ') : 'no witness that you named'}`)
  return lines
}

function sayWhy(error: unknown): string {
  if (error instanceof CertificateError) return `${error.code}: ${error.message}`
  const { code, path } = error as NodeJS.ErrnoException
  if (code && path) return `unreadable: ${path} (${code})`
  throw error
}

function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('not a number.')
  return Number(text)
}

function parseSalt(text: string): Buffer {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new InvalidArgumentError('a salt is 64 hex digits.')
  return Buffer.from(text, 'hex')
}
