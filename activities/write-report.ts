import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { EbbError } from '../runtime/errors.ts'
import { PROJECT_ROOT } from '../runtime/project-root.ts'
import type { ReportResult } from '../schemas/etl.ts'

const PROJECT = PROJECT_ROOT + sep

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
  return { period, path: shorten(path), chartPath: shorten(chartPath), text: report.text }
}

/** Writes one file of the reports folder. @returns its path, as people see it. @throws EbbError `report_unwritable` */
export async function writeText(folder: string, name: string, text: string): Promise<string> {
  const path = join(folder, name)
  try {
    await mkdir(folder, { recursive: true })
    await replaceFile(path, text)
  } catch (cause) {
    throw new EbbError('report_unwritable', 'the reports folder cannot be written', { cause })
  }
  return shorten(path)
}

/** Histories and operators' terminals see where a report lies in the project, not where the project lies on the machine. */
function shorten(path: string): string {
  return path.startsWith(PROJECT) ? path.slice(PROJECT.length) : path
}

async function replaceFile(path: string, content: string): Promise<void> {
  const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`
  await writeFile(draft, content)
  await rename(draft, path)
}
