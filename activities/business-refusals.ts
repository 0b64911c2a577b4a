import type { RejectedCounts } from '../kafka/read-rejections.ts'
import { DROP_CODES } from '../schemas/reject-code.ts'
import { formatCount } from './format-figures.ts'
import type { Section } from './report-section.ts'

const REFUSED =
  'Events that were refused, by reason; nothing of them is stored. Counted by the day on which they arrived, while the figures above count by the day of the event.'
const LEFT_OUT =
  'Fields that were left out of events that are stored, by reason; counted as the rejected events are.'
const PARTIAL =
  'The count may be higher: reasons are kept for seven days, and not all of this day’s could be read.'

/**
 * What was not stored, in two tables: the topic carries both events that were refused and fields that were left out of
 * events that were stored, and their sum would mean nothing. A code that is no drop code refused an event, be it the gate's
 * or ingest's.
 */
export function refusalSections({ counts, complete }: RejectedCounts): Section[] {
  const isDrop = (row: { code: string }) => Object.hasOwn(DROP_CODES, row.code)
  const section = (title: string, note: string, unit: string, rows: RejectedCounts['counts']): Section => {
    const total = rows.reduce((sum, row) => sum + row.count, 0)
    const atLeast = total === 0 ? '–' : `at least ${formatCount(total)}`
    return {
      title,
      note: complete ? note : `${note} ${PARTIAL}`,
      head: ['App', 'Reason', unit],
      rows: [
        ...rows.map((row) => [row.app, row.code, formatCount(row.count)]),
        ['All', '', complete ? formatCount(total) : atLeast],
      ],
      textColumns: 2,
      hidden: 0,
    }
  }
  return [
    section(
      'Rejected events',
      REFUSED,
      'Events',
      counts.filter((row) => !isDrop(row)),
    ),
    section('Fields left out', LEFT_OUT, 'Fields', counts.filter(isDrop)),
  ]
}
