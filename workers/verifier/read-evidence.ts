import { createHash } from 'node:crypto'
import { canonicalJson } from '../../certificates/canonical-json.ts'
import type { Postgres } from '../../postgres/client.ts'
import { EbbError } from '../../runtime/errors.ts'
import type { Certificate, Receipt } from '../../schemas/certificate.ts'
import { DATA_MAP } from '../../schemas/data-map.ts'
import { thisStoreAnswers } from '../../schemas/erasure-messages.ts'
import { planStores } from '../../schemas/erasure-plan.ts'
import { storesWith } from './logged-statements.ts'
import type { OpenRequest } from './observation.ts'

export interface ReceiptRow {
  store: string
  outcome: string
  method: string
  at: Date
  ids: string[]
  evidence: string
}

export interface HoldRow {
  hold_id: string
  fields: string[]
  article: string
  until: Date
}

/** Stores beside those of the plan that an erasure touches. */
const DERIVED = 'clickhouse/aggregates'
/** What they are derived from: both are away together. */
const RAW = 'clickhouse/events'
const METHODS: ReadonlySet<string> = new Set([
  'deleted',
  'rewritten',
  'key-destroyed',
  'expired',
  'nothing-held',
])

/** A second, as certificates write it. */
export function toTime(ms: number): string {
  return new Date(Math.floor(ms / 1_000) * 1_000).toISOString().replace('.000Z', 'Z')
}

/** What the verifier itself has found out of reach, and whether any key still opens. */
export interface Reached {
  unreachable: readonly string[]
  keysGone: boolean
}
const WHOLE: Reached = { unreachable: [], keysGone: true }

/**
 * Receipts for a certificate: what each eraser left, one for every store of the data map and none that could not be true,
 * then the verifier's own on the keys, and what is kept by law. That the stores are empty is never read from here.
 * @throws EbbError `evidence_missing`; `hold_over`; for a partial one `store_answers`
 */
export async function readEvidence(
  postgres: Postgres,
  request: OpenRequest,
  nowMs: number,
  reached: Reached = WHOLE,
): Promise<Receipt[]> {
  const [rows, holds] = await Promise.all([
    postgres.query<ReceiptRow>(
      'verifier_receipts',
      `SELECT store, outcome, method, at, ids, evidence FROM erasure_receipts WHERE request_id = $1 ORDER BY store`,
      [request.requestId],
    ),
    readHolds(postgres, request.requestId),
  ])
  return buildReceipts({ rows, holds }, request, nowMs, reached)
}

async function readHolds(postgres: Postgres, requestId: string): Promise<HoldRow[]> {
  return await postgres.query<HoldRow>(
    'verifier_holds',
    `SELECT hold_id, fields, article, until FROM legal_holds
     WHERE request_id = $1 AND released_at IS NULL AND sealed IS NOT NULL ORDER BY hold_id`,
    [requestId],
  )
}

/**
 * Whether all that a certificate names as held is held still. Dates are not asked: signed before a hold's date, it holds as of its
 * own until the hold is released.
 */
export async function isHeldStill(
  postgres: Postgres,
  requestId: string,
  signed: Certificate | undefined,
): Promise<boolean> {
  const named = storesWith('retained', signed)
  if (named.length === 0) return true
  const held = (await readHolds(postgres, requestId)).map(storeOfHold)
  return named.every((store) => held.includes(store))
}

/** Pure: no store of the data map is left out, and none says more than the verifier has seen. */
export function buildReceipts(
  { rows, holds }: { rows: readonly ReceiptRow[]; holds: readonly HoldRow[] },
  request: OpenRequest,
  nowMs: number,
  { unreachable, keysGone }: Reached,
): Receipt[] {
  const away = new Set(unreachable)
  const present = new Map(rows.map((row) => [row.store, row]))
  const claimed = rows.find((row) => row.outcome === 'unreachable' && !away.has(row.store))
  if (claimed && away.size > 0) throw new EbbError('store_answers', thisStoreAnswers(claimed.store))
  for (const store of [...planStores(DATA_MAP), DERIVED]) {
    if (!present.has(store) && !away.has(store)) throw missing(`there is no receipt of ${store}`)
  }
  const reached = rows.filter((row) => !away.has(row.store) && (keysGone || row.store !== 'keyring'))
  const receipts = reached.map((row) => toReceipt(row, request, nowMs))
  if (!keysGone) receipts.push({ outcome: 'waiting', store: 'keyring', after: [...away] })
  else if (!present.has('keyring')) receipts.push(keyReceipt(request, nowMs))
  return [
    ...unreachable.map((store) => toUnreachable(store, present, request, nowMs)),
    ...receipts,
    ...holds.map((hold) => toRetained(hold, nowMs)),
  ]
}

/** Since the erasers gave it up first, or, where none has tried, since the verifier's own look. */
function toUnreachable(
  store: string,
  rows: ReadonlyMap<string, ReceiptRow>,
  { receivedAt }: OpenRequest,
  nowMs: number,
): Receipt {
  const noted = [store, ...(store === DERIVED ? [RAW] : [])]
    .map((name) => rows.get(name))
    .find((row) => row?.outcome === 'unreachable')
  const sinceMs = noted?.at.getTime() ?? nowMs
  if (sinceMs < receivedAt.getTime() || sinceMs > nowMs) {
    throw missing(`${store} cannot be out of reach since then`)
  }
  return { outcome: 'unreachable', store, since: toTime(sinceMs) }
}

function toReceipt(row: ReceiptRow, request: OpenRequest, nowMs: number): Receipt {
  const { store, at, ids, evidence } = row
  const plausible =
    row.outcome === 'erased' &&
    METHODS.has(row.method) &&
    at.getTime() <= nowMs &&
    at.getTime() >= request.receivedAt.getTime() &&
    /^[0-9a-f]{64}$/.test(evidence) &&
    !namesPerson(ids, request)
  if (!plausible) throw missing(`the receipt of ${store} cannot be true`)
  const method = row.method as Extract<Receipt, { outcome: 'erased' }>['method']
  return { outcome: 'erased', store, method, at: toTime(at.getTime()), evidence: { hash: evidence, ids } }
}

/** A certificate is public: no receipt may carry a token, a handle, a subject id or an identifier into it. */
function namesPerson(ids: readonly string[], { sealed, observed }: OpenRequest): boolean {
  const names = [
    ...sealed.handles,
    ...sealed.identifiers.map((one) => one.value).filter(isTelling),
    ...sealed.subjects.flatMap((one) => [one.token, one.subjectId]),
    ...(observed?.handles ?? []),
    ...(observed?.subjects ?? []).flatMap((one) => [one.token, one.subjectId]),
  ].map((name) => name.toLowerCase())
  return ids.some((id) => names.some((name) => name.length >= 4 && id.toLowerCase().includes(name)))
}

/**
 * Digits alone and plain words are names of files and tables, too: that a receipt has the user id `1638` in the name of file 16384
 * tells of nobody, and would keep the certificate from somebody for ever.
 */
function isTelling(identifier: string): boolean {
  return !/^(\d+|[a-z_]+)$/i.test(identifier)
}

/** What the verifier itself has seen of the keys: none of these opens anything any more. */
function keyReceipt({ observed }: OpenRequest, nowMs: number): Receipt {
  const keys = [...new Set((observed?.subjects ?? []).map((one) => one.providerKey))].sort()
  const hash = createHash('sha256')
    .update(canonicalJson({ destroyed: keys }))
    .digest('hex')
  const method = keys.length > 0 ? 'key-destroyed' : 'nothing-held'
  const ids = keys.slice(0, 200)
  return { outcome: 'erased', store: 'keyring', method, at: toTime(nowMs), evidence: { hash, ids } }
}

function storeOfHold({ hold_id }: Pick<HoldRow, 'hold_id'>): string {
  return `postgres/legal_holds/${hold_id}`
}

function toRetained({ hold_id, fields, article, until }: HoldRow, nowMs: number): Receipt {
  if (until.getTime() <= nowMs + 1_000) throw new EbbError('hold_over', 'a hold is over and not released yet')
  return {
    outcome: 'retained',
    store: storeOfHold({ hold_id }),
    what: `fields ${fields.join(', ')}`.slice(0, 300),
    article,
    until: toTime(until.getTime()),
  }
}

function missing(message: string): EbbError {
  return new EbbError('evidence_missing', message)
}
