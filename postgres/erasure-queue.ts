import { randomUUID } from 'node:crypto'
import type { ErasureStage, StoreReceipt } from '../schemas/erasure.ts'
import type { Postgres, TransactingPostgres } from './client.ts'

export interface QueuedBatch {
  batchId: string
  stage: ErasureStage
  requestIds: string[]
}

/** Puts requests in line. Those that wait or are under way already stay where they are; those that were done go in again. */
export async function enqueueRequests(
  postgres: Postgres,
  requestIds: readonly string[],
  stage: ErasureStage,
): Promise<void> {
  await postgres.query(
    'enqueue_requests',
    `INSERT INTO erasure_queue (request_id, stage)
     SELECT DISTINCT request_id, $2 FROM unnest($1::uuid[]) AS waiting (request_id) ORDER BY request_id
     ON CONFLICT (request_id, stage) DO UPDATE SET batch_id = NULL, done_at = NULL, enqueued_at = now()
     WHERE erasure_queue.done_at IS NOT NULL`,
    [requestIds, stage],
  )
}

/**
 * Takes up to `max` waiting requests of a stage, the oldest first, under one batch id. A batch that was claimed and never
 * finished is given again, whole, before anything new: one claimer at a time, which Temporal holds by the workflow's id.
 */
export async function claimBatch(
  postgres: TransactingPostgres,
  stage: ErasureStage,
  max: number,
): Promise<QueuedBatch | null> {
  return await postgres.transaction(async (within) => {
    const open = await within.query<{ batch_id: string }>(
      'find_open_batch',
      `SELECT batch_id FROM erasure_queue WHERE stage = $1 AND batch_id IS NOT NULL AND done_at IS NULL
       ORDER BY enqueued_at LIMIT 1`,
      [stage],
    )
    const batchId = open[0]?.batch_id ?? randomUUID()
    if (open.length === 0) {
      await within.query(
        'claim_batch',
        `UPDATE erasure_queue SET batch_id = $1 WHERE (request_id, stage) IN (
           SELECT request_id, stage FROM erasure_queue
           WHERE stage = $2 AND batch_id IS NULL AND done_at IS NULL
           ORDER BY enqueued_at LIMIT $3 FOR UPDATE SKIP LOCKED)`,
        [batchId, stage, max],
      )
    }
    const rows = await within.query<{ request_id: string }>(
      'read_claimed',
      'SELECT request_id FROM erasure_queue WHERE batch_id = $1 AND done_at IS NULL ORDER BY request_id',
      [batchId],
    )
    return rows.length === 0 ? null : { batchId, stage, requestIds: rows.map((row) => row.request_id) }
  })
}

/** The requests of a batch, done or not; null when there is none of this id. */
export async function readBatch(postgres: Postgres, batchId: string): Promise<QueuedBatch | null> {
  const rows = await postgres.query<{ request_id: string; stage: ErasureStage }>(
    'read_batch',
    'SELECT request_id, stage FROM erasure_queue WHERE batch_id = $1 ORDER BY request_id',
    [batchId],
  )
  return rows[0] ? { batchId, stage: rows[0].stage, requestIds: rows.map((row) => row.request_id) } : null
}

/** Marks every request of the batch as done. Called when all of them have been told. */
export async function finishBatch(postgres: Pick<Postgres, 'query'>, batchId: string): Promise<void> {
  await postgres.query(
    'finish_batch',
    'UPDATE erasure_queue SET done_at = now() WHERE batch_id = $1 AND done_at IS NULL',
    [batchId],
  )
}

/** Requests that wait in line or are under way, by stage. */
export async function countQueued(postgres: Postgres): Promise<Record<ErasureStage, number>> {
  const rows = await postgres.query<{ stage: ErasureStage; waiting: number }>(
    'count_queued',
    'SELECT stage, count(*)::int AS waiting FROM erasure_queue WHERE done_at IS NULL GROUP BY stage',
    [],
  )
  const counts = { erase: 0, destroy: 0 }
  for (const row of rows) counts[row.stage] = row.waiting
  return counts
}

/** Keeps what a store's eraser left for each request of the batch; a later erasure of the same store replaces it. */
export async function writeReceipts(
  postgres: Postgres,
  batch: { batchId: string; requestIds: readonly string[] },
  receipt: StoreReceipt,
): Promise<void> {
  await postgres.query(
    'write_receipts',
    `INSERT INTO erasure_receipts (request_id, store, batch_id, outcome, method, at, ids, evidence)
     SELECT request_id, $2, $3, $4, $5, $6, $7, $8 FROM unnest($1::uuid[]) AS batch (request_id)
     ON CONFLICT (request_id, store) DO UPDATE SET batch_id = EXCLUDED.batch_id, outcome = EXCLUDED.outcome,
       method = EXCLUDED.method, at = EXCLUDED.at, ids = EXCLUDED.ids, evidence = EXCLUDED.evidence`,
    [
      batch.requestIds,
      receipt.store,
      batch.batchId,
      receipt.outcome,
      receipt.method,
      new Date(receipt.atMs),
      receipt.ids,
      receipt.evidenceHash,
    ],
  )
}

/**
 * Notes which stores a batch could not reach; one that was away before keeps its time, and an erasure later replaces the note. Only
 * while the batch is open: an attempt that comes late would take away what a later batch has erased since, and nobody would erase
 * it again. The rows are locked against finishBatch until the note is written.
 */
export async function noteUnreachable(
  postgres: Postgres,
  batchId: string,
  stores: readonly string[],
): Promise<void> {
  if (stores.length === 0) return
  await postgres.query(
    'note_unreachable',
    `INSERT INTO erasure_receipts (request_id, store, batch_id, outcome, method, at, ids, evidence)
     SELECT request_id, store, batch_id, 'unreachable', '', now(), '{}', ''
     FROM erasure_queue CROSS JOIN unnest($2::text[]) AS away (store)
     WHERE batch_id = $1 AND stage = 'erase' AND done_at IS NULL FOR SHARE OF erasure_queue
     ON CONFLICT (request_id, store) DO UPDATE SET batch_id = EXCLUDED.batch_id, outcome = EXCLUDED.outcome,
       method = EXCLUDED.method, ids = EXCLUDED.ids, evidence = EXCLUDED.evidence,
       at = CASE WHEN erasure_receipts.outcome = 'unreachable' THEN erasure_receipts.at ELSE EXCLUDED.at END`,
    [batchId, stores],
  )
}

interface ReceiptRow {
  store: string
  outcome: StoreReceipt['outcome']
  method: StoreReceipt['method']
  at: Date
  ids: string[]
  evidence: string
}

/** Receipts of one request, by store. */
export async function readReceipts(postgres: Postgres, requestId: string): Promise<StoreReceipt[]> {
  const rows = await postgres.query<ReceiptRow>(
    'read_receipts',
    'SELECT store, outcome, method, at, ids, evidence FROM erasure_receipts WHERE request_id = $1 ORDER BY store',
    [requestId],
  )
  return rows.map((row) => ({
    store: row.store,
    outcome: row.outcome,
    method: row.method,
    atMs: row.at.getTime(),
    ids: row.ids,
    evidenceHash: row.evidence,
  }))
}
