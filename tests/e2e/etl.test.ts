import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ClickHouseClient, createClickHouse } from '../../clickhouse/client.ts'
import { builtScript, PROJECT_ROOT } from '../../runtime/project-root.ts'
import { insertRaw, makeDay } from '../seed-day.ts'
import { createStage, type Stage } from '../stage.ts'

interface WorkerProcess {
  metricsUrl: string
  /** SIGTERM. @returns exit code */
  stop(): Promise<number | null>
}

/** The worker as the platform starts it, elsewhere, with a folder of its own where reports come to lie. */
async function startWorker(stage: Stage, folder: string): Promise<WorkerProcess> {
  const child = spawn(process.execPath, [builtScript('workers/temporal/main.ts')], {
    cwd: folder,
    env: { ...process.env, ...stage.environment, EBB_LOG_LEVEL: 'info', EBB_REPORTS_FOLDER: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)))
  const metricsUrl = await new Promise<string>((ready, failed) => {
    let text = ''
    child.stdout.on('data', (chunk) => {
      text += chunk
      const line = text.split('\n').find((one) => one.includes('"msg":"ready"'))
      if (line) ready((JSON.parse(line) as { metricsUrl: string }).metricsUrl)
    })
    void exited.then((code) => failed(new Error(`the worker ended with ${code} before it was ready`)))
  })
  return {
    metricsUrl,
    async stop() {
      child.kill('SIGTERM')
      return await exited
    },
  }
}

let stage: Stage
let folder: string
let worker: WorkerProcess
let clickhouse: ClickHouseClient

beforeAll(async () => {
  stage = await createStage()
  folder = await mkdtemp(join(tmpdir(), 'ebb-etl-'))
  clickhouse = createClickHouse(stage.config)
  worker = await startWorker(stage, folder)
})
afterAll(async () => {
  await worker?.stop()
  await clickhouse?.close()
  await rm(folder, { recursive: true, force: true })
  await stage?.close()
})

/** `ebb …` as a person types it. */
async function ebb(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const options = { cwd: PROJECT_ROOT, env: { ...process.env, ...stage.environment } }
  return await promisify(execFile)(process.execPath, [builtScript('cli/ebb.ts'), ...args], options).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
}

describe('ebb etl and ebb report, with the worker as a process', () => {
  it('count, check and report a day', async () => {
    const events = makeDay('2026-11-20', 60)
    await insertRaw(clickhouse, events)
    const run = await ebb('etl', '--date', '2026-11-20')
    expect(run.stderr).toBe('')
    expect(run.stdout).toContain(
      `2026-11-20  ${events.length} events in 6 rows, batch equals stream; ${folder}/business_report_`,
    )
    const markdown = await readFile(join(folder, 'business_report_2026-11-20.md'), 'utf8')
    expect(markdown).toContain(`${events.length} events of 90 people; revenue 125.00 EUR.`)
    expect(markdown).toContain('| shop | 60 | 30 | 50.0 % | 10 | 16.7 % |')

    const report = await ebb('report', '--date', '2026-11-20')
    expect(report.stdout).toContain('Business report 2026-11-20')
    const trends = await ebb('report', '--month', '2026-11')
    expect(trends.stdout).toContain(`${events.length} events on 1 day of 2026-11.`)
    expect(await readFile(join(folder, 'monthly_trends_2026-11.svg'), 'utf8')).toContain('<svg')
  })

  it('end with 1 and name the rows when batch and stream differ', async () => {
    await insertRaw(clickhouse, makeDay('2026-11-19', 60))
    await clickhouse.command({
      query: `ALTER TABLE metrics_streaming_daily DELETE WHERE day = '2026-11-19' AND event = 'add_to_cart'`,
      clickhouse_settings: { mutations_sync: '2' },
    })
    const run = await ebb('etl', '--date', '2026-11-19')
    expect(run.code).toBe(1)
    expect(run.stdout).toContain('DRIFT: batch and stream differ in 1 row;')
    expect(run.stdout).toContain('  shop add_to_cart: batch 30, streaming nothing events')
    expect(await readFile(join(folder, 'alerts.jsonl'), 'utf8')).toContain('"kind":"drift"')
  })

  it('fill a range, or only start it', async () => {
    const range = ['--from', '2026-11-01', '--to', '2026-11-03']
    const run = await ebb('etl', ...range)
    expect(run.stdout.match(/ 0 events in 0 rows, batch equals stream/g)).toHaveLength(3)
    const started = await ebb('etl', ...range, '--no-wait')
    expect(started.stdout.match(/started as/g)).toHaveLength(3)
  })

  it('refuse a date that is none, in one line', async () => {
    const run = await ebb('etl', '--date', '2026-02-30')
    expect(run).toMatchObject({ code: 1, stderr: 'ebb: --date must be YYYY-MM-DD\n' })
  })

  it('leave figures in the worker’s metrics, and the worker stops cleanly', async () => {
    const metrics = await (await fetch(worker.metricsUrl)).text()
    expect(metrics).toMatch(/ebb_etl_activities_total\{activity="swapDay",result="ok"[^}]*\} [1-9]/)
    expect(await worker.stop()).toBe(0)
  })
})
