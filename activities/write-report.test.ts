import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { readConfig } from '../runtime/config.ts'
import { writeReport } from './write-report.ts'

const REPORT = { name: 'business_report_2026-11-20', markdown: '# Report\n', svg: '<svg/>', text: 'Report' }
const started = process.cwd()
let folder = ''
afterEach(async () => {
  process.chdir(started)
  await rm(folder, { recursive: true, force: true })
})

test('reports lie in the project, wherever the worker was started', async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-elsewhere-'))
  process.chdir(folder)
  expect(readConfig({}).reportsFolder).toBe(resolve(import.meta.dirname, '../reports/output'))
})

test('a report in the project is named by its place there, one elsewhere by its whole path', async () => {
  folder = resolve(import.meta.dirname, '../reports/output/test-of-paths')
  await mkdir(folder, { recursive: true })
  const written = await writeReport(folder, '2026-11-20', REPORT)
  expect(written.path).toBe('reports/output/test-of-paths/business_report_2026-11-20.md')
  expect(await readdir(folder)).toEqual([`${REPORT.name}.md`, `${REPORT.name}.svg`])
  await rm(folder, { recursive: true })
  folder = await mkdtemp(join(tmpdir(), 'ebb-reports-'))
  expect((await writeReport(folder, '2026-11-20', REPORT)).path).toBe(join(folder, `${REPORT.name}.md`))
})
