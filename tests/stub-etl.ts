import { isDeepStrictEqual } from 'node:util'
import { ApplicationFailure } from '@temporalio/common'
import type { CompareResult, DriftedRow, EtlActivities, Measures, StagedDay } from '../schemas/etl.ts'
import type { Journal } from './call-journal.ts'
import type { BackupScript } from './stub-backup.ts'
import type { KeyScript } from './stub-keys.ts'

export interface Script {
  /** Answers of awaitIngest, one after the other; the last one stays. Default: passed at once. */
  behind?: number[]
  /** Answers of compareDay likewise. Default: all equal. */
  compared?: CompareResult[]
  /** What republishDirtyDays says; without it, it is not journalled. */
  dirtyDays?: number
  /** What swapDay says. Default: published. */
  published?: boolean
  /** Attempts of an activity that fail before one succeeds, with the code to fail with. */
  failures?: Partial<Record<keyof EtlActivities, { times: number; code: string; final?: boolean }>>
  /** Of the rotation of keys. */
  keys?: KeyScript
  /** Of the archive and the backups. */
  backup?: BackupScript
}

export const EQUAL: CompareResult = { equal: 12, driftedCount: 0, drifted: [] }

const STAGED: StagedDay = { metrics_batch_daily: { rows: 12, checksum: '18446744073709551615' } }

export function measures(events: number): Measures {
  return { events, users: Math.ceil(events / 3), sessions: Math.ceil(events / 2), revenue: '0.0000' }
}

export function drifted(...rows: DriftedRow[]): CompareResult {
  return { equal: 12 - rows.length, driftedCount: rows.length, drifted: rows }
}

export function driftedRow(event: string, batch: number | null, streaming: number | null): DriftedRow {
  const of = (events: number | null) => (events === null ? null : measures(events))
  return { app: 'shop', event, currency: '', batch: of(batch), streaming: of(streaming) }
}

/** Activities that follow a script and write down their calls; for tests of the workflows alone. */
export function stubEtlActivities(script: Script = {}): { activities: EtlActivities; journal: Journal } {
  const journal: Journal = []
  const taken = new Map<string, number>()
  const next = <T>(name: string, answers: T[]): T => {
    const index = taken.get(name) ?? 0
    taken.set(name, index + 1)
    return answers[Math.min(index, answers.length - 1)]!
  }
  const failed = new Map<string, number>()
  const call = (name: keyof EtlActivities, detail = ''): void => {
    journal.push(detail ? `${name}:${detail}` : name)
    const failure = script.failures?.[name]
    const times = failed.get(name) ?? 0
    if (!failure || times >= failure.times) return
    failed.set(name, times + 1)
    const { code, final = false } = failure
    throw ApplicationFailure.create({ type: code, message: 'as the script says', nonRetryable: final })
  }
  const report = (name: string, period: string) => ({
    period,
    path: `reports/output/${name}_${period}.md`,
    chartPath: `reports/output/${name}_${period}.svg`,
    text: '',
  })
  return {
    journal,
    activities: {
      async observeIngestTargets({ day }) {
        call('observeIngestTargets', day)
        return {
          offsets: [
            [0, 40],
            [1, 50],
            [2, 60],
          ],
        }
      },
      async awaitIngest() {
        call('awaitIngest')
        return { behind: next('behind', script.behind ?? [0]) }
      },
      async aggregateDay({ day }) {
        call('aggregateDay', day)
        return { rows: 12, events: 1500, staged: STAGED }
      },
      async swapDay({ day, staged }) {
        call('swapDay', day)
        if (!isDeepStrictEqual(staged, STAGED)) throw new Error('the swap is not told what was counted')
        return { published: script.published ?? true }
      },
      async compareDay({ day }) {
        call('compareDay', day)
        return next('compared', script.compared ?? [EQUAL])
      },
      async republishDirtyDays() {
        if (script.dirtyDays !== undefined) call('republishDirtyDays')
        return { days: script.dirtyDays ?? 0 }
      },
      async raiseAlert({ kind, drifted: rows }) {
        call('raiseAlert', `${kind}:${rows.map((row) => row.event).join(',')}`)
      },
      async writeBusinessReport({ day }) {
        call('writeBusinessReport', day)
        return report('business_report', day)
      },
      async writeMonthlyTrends({ month }) {
        call('writeMonthlyTrends', month)
        return report('monthly_trends', month)
      },
    },
  }
}
