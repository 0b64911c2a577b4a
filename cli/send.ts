import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { InvalidArgumentError } from 'commander'
import { EbbError } from '../runtime/errors.ts'
import { readPlatformConfig } from '../services/platform-config.ts'
import { type GeneratedBatch, generateDay } from './generate-day.ts'
import { type PostTotals, postBatches } from './post-batches.ts'
import type { DefineVerb } from './verb.ts'

const EVENTS_PER_BATCH = 100
/** The collector takes 500 KB a request; one event may be larger than that and is then its to refuse, alone. */
const BYTES_PER_BATCH = 400_000

interface SendOptions {
  writeKey: string
  url?: string
  file?: string
  generate?: number
  app: 'shop' | 'learn'
  day?: string
  rate?: number
  concurrency: number
}

/** `ebb send`: events from a JSON Lines file of Segment calls, or from the generator. */
export const define: DefineVerb = (command) => {
  command
    .requiredOption('--write-key <key>', 'the app’s write key (`ebb app create` prints it)')
    .option('--file <path>', 'JSON Lines, one Segment call a line ({"type":"track","event":...})')
    .option('--generate <sessions>', 'make up this many sessions of a day', positive)
    .option('--app <name>', 'whose day to make up: shop or learn', 'shop')
    .option('--day <date>', 'the made-up day, YYYY-MM-DD (default: yesterday, UTC)')
    .option('--rate <events>', 'events a second at most', positive)
    .option('--concurrency <requests>', 'requests in flight', positive, 8)
    .option('--url <url>', 'the collector (default: the one that runs from EBB_HOME)')
    .addHelpText(
      'after',
      '\nA batch that finds the collector busy is sent again with the same ids, and counted once. Lines without a\nmessageId are counted again each time the file is sent; those with one, once in 24 hours.',
    )
    .action(send)
}

async function send(options: SendOptions): Promise<void> {
  if ((options.file === undefined) === (options.generate === undefined)) {
    throw new EbbError('bad_arguments', 'give either --file or --generate')
  }
  const batches = options.file ? await readFileBatches(options.file) : generateBatches(options)
  const { config, platform } = await readPlatformConfig()
  const url =
    options.url ?? platform?.collectorUrl ?? `http://${config.collector.host}:${config.collector.port}`
  if (!URL.canParse(url)) throw new EbbError('bad_arguments', '--url is no URL')
  const totals = await postBatches(batches, {
    url,
    writeKeys: { file: options.writeKey, shop: options.writeKey, learn: options.writeKey },
    concurrency: options.concurrency,
    ...(options.rate !== undefined && { rate: options.rate }),
  })
  process.stdout.write(`${describe(totals)}\n`)
}

function generateBatches(options: SendOptions): Iterable<GeneratedBatch> {
  if (options.app !== 'shop' && options.app !== 'learn') {
    throw new EbbError('bad_arguments', '--app is shop or learn')
  }
  const day = options.day ?? new Date(Date.now() - 86_400_000).toISOString().slice(0, 10)
  if (Number.isNaN(Date.parse(`${day}T00:00:00Z`)))
    throw new EbbError('bad_arguments', '--day is a date, YYYY-MM-DD')
  return generateDay({ day, sessions: options.generate!, seed: Date.now(), apps: [options.app] })
}

/**
 * Reads the whole file before the first request, so that a mistake on its last line is told before anything was sent.
 * @throws EbbError `bad_file` with the line's number, never its content
 */
async function readFileBatches(path: string): Promise<{ app: string; body: { batch: unknown[] } }[]> {
  const events: unknown[] = []
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })
  try {
    let number = 0
    for await (const line of lines) {
      number++
      if (line.trim() === '') continue
      events.push(parseLine(line, number))
    }
  } catch (error) {
    if (error instanceof EbbError) throw error
    throw new EbbError('bad_file', `${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`)
  }
  return cutBatches(events)
}

/** Batches that the collector takes whole: a large event must not make its neighbours unsendable. */
export function cutBatches(events: unknown[]): { app: string; body: { batch: unknown[]; sentAt: string } }[] {
  const batches: unknown[][] = []
  let bytes = 0
  for (const event of events) {
    const size = Buffer.byteLength(JSON.stringify(event))
    const current = batches.at(-1)
    if (current && current.length < EVENTS_PER_BATCH && bytes + size <= BYTES_PER_BATCH) {
      current.push(event)
      bytes += size
    } else {
      batches.push([event])
      bytes = size
    }
  }
  const sentAt = new Date().toISOString()
  return batches.map((batch) => ({ app: 'file', body: { batch, sentAt } }))
}

function parseLine(line: string, number: number): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw new EbbError('bad_file', `line ${number} is not JSON; nothing was sent`)
  }
}

function describe(totals: PostTotals): string {
  const codes = Object.entries(totals.rejectedByCode).map(([code, count]) => `${code} ${count}`)
  return `sent ${totals.sent}, accepted ${totals.accepted}, rejected ${codes.length ? codes.join(', ') : 0}`
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('a number above 0')
  return value
}
