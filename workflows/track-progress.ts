import { defineSearchAttributeKey, rootCause } from '@temporalio/common'
import { defineQuery, setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow'
import type { Progress } from '../schemas/etl.ts'

export const progressQuery = defineQuery<Progress>('progress')

// Names and types as in schemas/search-attributes.ts; a test holds them together.
export const dayAttribute = defineSearchAttributeKey('EbbDay', 'KEYWORD')
export const stageAttribute = defineSearchAttributeKey('EbbStage', 'KEYWORD')
export const driftAttribute = defineSearchAttributeKey('EbbDrift', 'BOOL')
export const rowsAttribute = defineSearchAttributeKey('EbbRows', 'INT')

export interface Tracker {
  /** Runs one step under its name; `outcome` says in a few words what came out. A failure leaves its stage standing, and says why. */
  step<T>(stage: string, work: () => Promise<T>, outcome: (result: T) => string): Promise<T>
  /** The same for a step that runs did not name when they began: its stage is in the details alone. */
  part<T>(stage: string, work: () => Promise<T>, outcome: (result: T) => string): Promise<T>
  /** Says a stage without a step of its own: a wait, an escalation, the end. */
  say(stage: string): void
}

/**
 * Keeps what an operator sees of a run in step with what it does: the search attributes `EbbDay` and `EbbStage`, the
 * current details (Markdown in Temporal's UI) and the `progress` query.
 */
export function trackProgress(title: string, period: string): Tracker {
  const progress: Progress = { period, stage: 'starting', done: [] }
  const ended: string[] = []
  setHandler(progressQuery, () => progress, { description: 'What is done, with figures, and what runs now.' })
  upsertSearchAttributes([{ key: dayAttribute, value: period }])

  const show = (...now: string[]): void => {
    setCurrentDetails([`### ${title} ${period}`, ...ended, ...now].join('\n'))
  }
  const say = (stage: string): void => {
    progress.stage = stage
    upsertSearchAttributes([{ key: stageAttribute, value: stage }])
    show(`- **${stage}**`)
  }
  const part: Tracker['part'] = async (stage, work, outcome) => {
    show(`- **${stage}**`)
    try {
      const result = await work()
      const entry = { stage, outcome: outcome(result) }
      progress.done.push(entry)
      ended.push(`- ✓ ${stage}: ${entry.outcome}`)
      return result
    } catch (error) {
      ended.push(`- ✗ ${stage}: ${rootCause(error)}`)
      throw error
    } finally {
      show()
    }
  }
  return {
    say,
    part,
    async step(stage, work, outcome) {
      say(stage)
      return await part(stage, work, outcome)
    },
  }
}
