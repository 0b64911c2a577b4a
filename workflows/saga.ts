import type { AcceptedEnding, ErasureStage, PartialCertificate } from '../schemas/erasure.ts'
import type { BatchDone } from '../schemas/erasure-messages.ts'
import type { ErasureTracker } from './track-erasure.ts'

/** One erasure as its steps hand it on. */
export interface Saga {
  requestId: string
  track: ErasureTracker
  desk: Desk
}

/** What officers, operators and the shared batch have said to one erasure. */
export interface Desk {
  /** How an officer ended the request, if one did. */
  ending: AcceptedEnding | null
  holds: Map<string, { untilMs: number; released: boolean }>
  retryAsked: boolean
  /** Rounds that ended with the request blocked. */
  roundsBlocked: number
  /** Asks the verifier for a partial certificate; workflows/certify-partial.ts. */
  certifyPartial(): Promise<PartialCertificate>
  /** Last word of the batch on each stage; taken away when the request is put in line. */
  batchDone: Map<ErasureStage, BatchDone>
  /** The request has been read. @param onlyForward nothing can be taken back: an earlier run may have destroyed something */
  open(onlyForward: boolean): void
  /** From here on nothing can be taken back: waits for Updates under way, and refuses later ones. */
  close(): Promise<void>
}
