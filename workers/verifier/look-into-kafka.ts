import type { IngestProgress } from '../../kafka/read-ingest-progress.ts'
import { type Findings, namesOf, type Sought } from './findings.ts'

const STORE = 'kafka/events'

export interface RevocationsRead {
  readToHead(signal: AbortSignal): Promise<number>
  isRevoked(token: Buffer, rev: number): boolean
}

const READ_MS = 30_000

/**
 * Every token must be revoked for every ingest partition, as far as it has committed: else a record that Kafka still has,
 * or a replay from its beginning, would bring rows back.
 */
export async function lookIntoKafka(
  deps: { revocations: RevocationsRead; readIngestProgress(): Promise<IngestProgress[]> },
  sought: readonly Sought[],
  findings: Findings,
): Promise<void> {
  const progress = await deps.readIngestProgress()
  await deps.revocations.readToHead(AbortSignal.timeout(READ_MS))
  const rev = Math.min(...progress.map(({ metadata }) => metadata?.rev ?? 0))
  for (const token of namesOf(sought, 'tokens')) {
    if (!deps.revocations.isRevoked(Buffer.from(token, 'hex'), rev))
      findings.addFor('tokens', token, STORE, 1)
  }
}
