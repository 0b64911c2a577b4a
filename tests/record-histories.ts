import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { historyToJson } from './history-json.ts'
import { drifted, driftedRow, type Script } from './stub-etl.ts'
import { startWorkflowClock } from './workflow-clock.ts'

// Records the histories that workflows/replay.test.ts replays: `node --import tsx tests/record-histories.ts [name …]`.
// Record a new one beside the old when a workflow changes under `patched()`; replace one only when no run of that shape
// can still be open, which for the daily ETL is a day after the release.

interface Scenario {
  workflow:
    | 'dailyEtl'
    | 'businessReport'
    | 'monthlyTrends'
    | 'rotateKeys'
    | 'archiveDay'
    | 'backup'
    | 'shipWal'
  input: { day?: string; period?: string }
  script: Script
}

const DAY = '2026-11-20'
const daily = (script: Script): Scenario => ({ workflow: 'dailyEtl', input: { day: DAY }, script })

const SCENARIOS: Record<string, Scenario> = {
  success: daily({}),
  'yesterday-by-default': { workflow: 'dailyEtl', input: {}, script: {} },
  drift: daily({ compared: [drifted(driftedRow('purchase', 10, 9))] }),
  'late-events': daily({
    compared: [drifted(driftedRow('page_view', 500, 502)), drifted(driftedRow('page_view', 503, 505))],
  }),
  'retry-after-failure': daily({
    failures: {
      aggregateDay: { times: 3, code: 'clickhouse_failed' },
      compareDay: { times: 1, code: 'clickhouse_failed' },
    },
  }),
  'attempts-met-in-staging': daily({
    failures: { swapDay: { times: 2, code: 'staging_dirty', final: true } },
  }),
  'ingest-behind-escalated': daily({ behind: [...Array(33).fill(7), 0] }),
  'drift-and-no-report': daily({
    compared: [drifted(driftedRow('purchase', 10, null))],
    failures: { writeBusinessReport: { times: 1, code: 'report_unwritable', final: true } },
  }),
  'day-not-over': daily({ published: false }),
  'bad-day': { workflow: 'dailyEtl', input: { day: '2026-02-30' }, script: {} },
  'business-report': { workflow: 'businessReport', input: { period: DAY }, script: {} },
  'rotate-keys': { workflow: 'rotateKeys', input: {}, script: {} },
  'rotate-keys-retried': { workflow: 'rotateKeys', input: {}, script: { keys: { due: 20, failures: 2 } } },
  'rotate-keys-nothing-old': { workflow: 'rotateKeys', input: {}, script: { keys: { due: 0 } } },
  'archive-day': { workflow: 'archiveDay', input: { day: DAY }, script: {} },
  'archive-waits-for-erasure': {
    workflow: 'archiveDay',
    input: {},
    script: { backup: { failures: { archiveDay: { times: 3, code: 'archive_busy' } } } },
  },
  backup: { workflow: 'backup', input: {}, script: {} },
  'backup-of-one-failed': { workflow: 'backup', input: {}, script: { backup: { broken: 'postgres' } } },
  'ship-wal': { workflow: 'shipWal', input: {}, script: {} },
  'monthly-trends': { workflow: 'monthlyTrends', input: { period: '2026-10' }, script: {} },
}

const FOLDER = fileURLToPath(new URL('../workflows/histories/', import.meta.url))

const chosen = process.argv.slice(2)
const clock = await startWorkflowClock()
await mkdir(FOLDER, { recursive: true })
for (const [name, { workflow, input, script }] of Object.entries(SCENARIOS)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  await clock.withWorker(script, async (taskQueue) => {
    const handle = await clock.environment.client.workflow.start(workflow, {
      taskQueue,
      workflowId: `recorded-${name}`,
      args: [input],
    })
    await handle.result().catch(() => undefined)
    await writeFile(`${FOLDER}${name}.json`, historyToJson(await handle.fetchHistory()))
    console.log(`recorded ${name}`)
  })
}
await clock.close()
