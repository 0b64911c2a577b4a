import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EbbError } from '../runtime/errors.ts'
import type { ReportResult } from '../schemas/etl.ts'

export interface RenderedReport {
  /** File name without its ending, such as `business_report_2026-11-20`. */
  name: string
  markdown: string
  svg: string
  text: string
}

/**
 * Writes the chart, then the Markdown that shows it. Each file is renamed into its place, so that a reader, or a second
 * run at the same moment, never meets half of one.
 * @throws EbbError `report_unwritable`
 */
export async function writeReport(
  folder: string,
  period: string,
  report: RenderedReport,
): Promise<ReportResult> {
  const path = join(folder, `${report.name}.md`)
  const chartPath = join(folder, `${report.name}.svg`)
  try {
    await mkdir(folder, { recursive: true })
    await replaceFile(chartPath, report.svg)
    await replaceFile(path, report.markdown)
  } catch (cause) {
    throw new EbbError('report_unwritable', 'the reports folder cannot be written', { cause })
  }
  return { period, path, chartPath, text: report.text }
}

async function replaceFile(path: string, content: string): Promise<void> {
  const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`
  await writeFile(draft, content)
  await rename(draft, path)
}
