/** A table of a report. */
export interface Section {
  title: string
  /** A sentence over the table. */
  note?: string
  head: string[]
  rows: string[][]
  /** Columns of text; the others are figures. */
  textColumns: number
  /** Rows left out for k. */
  hidden: number
}
