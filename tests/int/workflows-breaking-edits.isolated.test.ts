import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Worker } from '@temporalio/worker'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleWorkflows } from '../../workers/temporal/bundle-workflows.ts'
import { quietTemporal } from '../../workers/temporal/quiet-temporal.ts'
import { historyFromJson } from '../history-json.ts'

interface Edit {
  /** What a well-meaning change might do, as replacements in one file of workflows/. */
  file: string
  replace: [before: string, after: string][]
  /** The recorded history that notices. */
  history: string
}

const EDITS: Record<string, Edit> = {
  'steps in another order': {
    file: 'recount-day.ts',
    replace: [
      ['heavy.aggregateDay.', 'heavy.PLACE.'],
      ['heavy.swapDay.', 'heavy.aggregateDay.'],
      ['heavy.PLACE.', 'heavy.swapDay.'],
    ],
    history: 'success',
  },
  'an activity taken out': {
    file: 'wait-for-ingest.ts',
    replace: [['if (behind === 0) return targets', 'return targets']],
    history: 'ingest-behind-escalated',
  },
  'an activity called by another name': {
    file: 'recount-day.ts',
    replace: [['heavy.compareDay.', 'heavy.compareDays.']],
    history: 'success',
  },
  'a timer put in': {
    file: 'daily-etl.ts',
    replace: [['  // 1. Ingest', "  await sleep('1s')\n  // 1. Ingest"]],
    history: 'success',
  },
  'a timer taken out': {
    file: 'daily-etl.ts',
    replace: [["await sleep('5s', { summary: 'late events, or drift? look again' })", '']],
    history: 'late-events',
  },
  'another child workflow': {
    file: 'daily-etl.ts',
    replace: [['executeChild(businessReport', "executeChild('monthlyTrends'"]],
    history: 'success',
  },
  'a child workflow under another id': {
    file: 'daily-etl.ts',
    replace: [['/report`', '/the-report`']],
    history: 'success',
  },
  'the alert before the report': {
    file: 'daily-etl.ts',
    replace: [
      [
        '  let reportPath: string\n',
        '  let reportPath: string\n  await alertDrift(day, checked.compared, track)\n',
      ],
    ],
    history: 'drift',
  },
  'the alert forgotten': {
    file: 'daily-etl.ts',
    replace: [['if (driftedCount > 0) await alertDrift', 'if (driftedCount > 999) await alertDrift']],
    history: 'drift',
  },
  'no second look at a drift': {
    file: 'daily-etl.ts',
    replace: [['if (checked.compared.driftedCount > 0) {', 'if (checked.compared.driftedCount > 99) {']],
    history: 'late-events',
  },
  'no second try when attempts met': {
    file: 'recount-day.ts',
    replace: [['attemptsLeft = 5', 'attemptsLeft = 0']],
    history: 'attempts-met-in-staging',
  },
  'an erasure that destroys before it is in the journal': {
    file: 'erase-subject.ts',
    replace: [
      [
        '  // 7. Journal: what',
        "  await eraseAndCertify(saga, verifier, held ? 'held' : 'certificate')\n  // 7. Journal: what",
      ],
    ],
    history: 'erasure-closed',
  },
  'an erasure without the barrier': {
    file: 'erase-subject.ts',
    replace: [
      ['await barrier.awaitBlock.executeWithOptions', 'await steps.blockSubjects.executeWithOptions'],
    ],
    history: 'erasure-closed',
  },
  'a certificate without a look': {
    file: 'erase-until-gone.ts',
    replace: [
      ['blocked.length > 0 ? { found: [] } : await verify()', '{ found: [] as { store: string }[] }'],
    ],
    history: 'erasure-stuck-and-overdue',
  },
  'closed without waiting for copies to expire': {
    file: 'erase-subject.ts',
    replace: [['    await awaitHorizons(saga, verifier)\n', '']],
    history: 'erasure-closed',
  },
  'a hold that nobody waits for': {
    file: 'erase-subject.ts',
    replace: [['    await awaitHolds(saga)\n', '']],
    history: 'erasure-held',
  },
  'a hold that is over and not released before the certificate': {
    file: 'erase-and-certify.ts',
    replace: [['  await releaseEndedHolds(saga)\n', '']],
    history: 'erasure-hold-over',
  },
  'a refusal that is not signed': {
    file: 'erase-subject.ts',
    replace: [["if (ending.outcome === 'refused') {", 'if (ending.outcome !== ending.outcome) {']],
    history: 'erasure-refused',
  },
  'a pause of another length after a failure': {
    file: 'erase-until-gone.ts',
    replace: [['await condition(() => desk.retryAsked, pauseAfter(attempt))', '']],
    history: 'erasure-stuck-and-overdue',
  },
  'no partial certificate at the deadline': {
    file: 'watch-deadline.ts',
    replace: [["if (patched('partial-at-the-deadline')) await certifyPartialOnce(saga)", '']],
    history: 'erasure-partial',
  },
  'a batch that tells nobody': {
    file: 'erase-batch.ts',
    replace: [
      ['await batching.settleBatch.executeWithOptions', 'await batching.claimBatch.executeWithOptions'],
    ],
    history: 'batch-two-rounds',
  },
  'aggregates that are not counted again': {
    file: 'erase-batch.ts',
    replace: [
      ["const aggregates = blocked.includes('clickhouse/events')", 'const aggregates = blocked.length >= 0'],
    ],
    history: 'batch-two-rounds',
  },
}

let folder: string
beforeAll(async () => {
  quietTemporal()
  folder = await mkdtemp(join(tmpdir(), 'ebb-edits-'))
  await symlink(resolve('node_modules'), join(folder, 'node_modules'))
  await cp('schemas', join(folder, 'schemas'), { recursive: true })
  await cp('package.json', join(folder, 'package.json'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Bundles a copy of the workflows with one file edited, and replays one history on it. */
async function replayEdited({ file, replace, history }: Edit): Promise<void> {
  const copy = await mkdtemp(join(folder, 'workflows-'))
  await cp('workflows', copy, { recursive: true, filter: (path) => !path.endsWith('.test.ts') })
  let source = await readFile(join(copy, file), 'utf8')
  for (const [before, after] of replace) {
    expect(source, `${file} no longer has the text that this edit changes`).toContain(before)
    source = source.replace(before, after)
  }
  await writeFile(join(copy, file), source)
  const workflowBundle = await bundleWorkflows(join(copy, 'index.ts'))
  const recorded = await readFile(join(copy, 'histories', `${history}.json`), 'utf8')
  await Worker.runReplayHistory({ workflowBundle }, historyFromJson(recorded), `recorded-${history}`)
}

describe('a change that would break open runs is caught by replay', () => {
  it('but a change of comments only is not', async () => {
    const edit: Edit = {
      file: 'daily-etl.ts',
      replace: [['// 1. Ingest', '// First: ingest']],
      history: 'success',
    }
    await replayEdited(edit)
  })

  it.each(Object.entries(EDITS))('%s', async (_, edit) => {
    await expect(replayEdited(edit)).rejects.toThrow(/Nondeterminism/)
  })
})
