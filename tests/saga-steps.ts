import { setTimeout as pause } from 'node:timers/promises'
import { WorkflowUpdateFailedError } from '@temporalio/client'
import type { ErasureStatus } from '../schemas/erasure.ts'
import type { HoldWish } from '../schemas/erasure-messages.ts'
import type { SagaHandle } from './erasure-clock.ts'
import type { WorkflowClock } from './workflow-clock.ts'

export const HOUR = 3_600_000
export const DAY = 24 * HOUR

/** The last calls of every saga. */
export const CLOSED = ['verifyHorizons', 'withdrawStates', 'verifyHorizons', 'certify:closed', 'closeRequest']

/** Hours on the saga's clock from start to end. */
export async function hoursOf(saga: SagaHandle): Promise<number> {
  const { startTime, closeTime } = await saga.describe()
  return (closeTime!.getTime() - startTime.getTime()) / HOUR
}

/** Journal without what runs beside the main line. */
export function mainLine(journal: string[]): string[] {
  return journal.filter((call) => call !== 'logReceived')
}

export async function untilStage(saga: SagaHandle, stage: RegExp): Promise<ErasureStatus> {
  for (let tries = 0; tries < 1_200; tries++) {
    const status = await saga.query<ErasureStatus>('status').catch(() => undefined)
    if (status && stage.test(status.stage)) return status
    await pause(25)
  }
  throw new Error(`the saga never came to ${stage}`)
}

/** Code of a refused Update. */
export async function refusal(update: Promise<unknown>): Promise<string> {
  const error = await update.then(
    () => new Error('it was accepted'),
    (reason) => reason,
  )
  if (!(error instanceof WorkflowUpdateFailedError)) throw error
  return (error.cause as Error & { type: string }).type
}

export const holdUntil = (untilMs: number): HoldWish => ({
  fields: ['email'],
  article: 'GDPR Art. 17(3)(e)',
  untilMs,
  placedBy: 'officer',
})

/** Places a hold of so long in the grace window. @returns its id */
export async function placeHold(clock: WorkflowClock, saga: SagaHandle, forMs: number): Promise<string> {
  await untilStage(saga, /grace/)
  const untilMs = (await clock.environment.currentTimeMs()) + forMs
  return (await saga.executeUpdate('placeHold', { args: [holdUntil(untilMs)] })) as string
}
