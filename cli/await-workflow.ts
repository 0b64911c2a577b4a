import { WorkflowFailedError } from '@temporalio/client'
import { EbbError } from '../runtime/errors.ts'

/**
 * Waits for a workflow's result.
 * @param what for people: `rotation`, `ETL of 2026-11-20`
 * @throws EbbError with `code` when it failed, and the innermost cause, which is the step's own
 */
export async function awaitWorkflow<T>(what: string, code: string, result: Promise<T>): Promise<T> {
  try {
    return await result
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error
    let cause: Error = error
    while (cause.cause instanceof Error) cause = cause.cause
    const type = 'type' in cause && typeof cause.type === 'string' ? cause.type : cause.name
    throw new EbbError(code, `the ${what} failed: ${cause.message} (${type})`, { cause: error })
  }
}
