import { ROW_LAYOUTS } from '../../schemas/event-row.ts'

/** Bytes of a value on the wire; 0 for a string, which says its own length. */
const WIDTHS: Record<string, number> = {
  'LowCardinality(String)': 0,
  String: 0,
  'FixedString(16)': 16,
  UInt64: 8,
  'DateTime64(3)': 8,
  'Decimal(18, 4)': 8,
}

/**
 * How to step over a row of each format: fixed bytes to jump, then a string, and so on; the last step has no string.
 */
const STEPS: Readonly<Record<string, readonly number[]>> = Object.fromEntries(
  Object.entries(ROW_LAYOUTS).map(([format, layout]) => [format, toSteps(layout.map(widthOf))]),
)

function widthOf([name, type]: readonly [string, string]): number {
  const width = WIDTHS[type]
  if (width === undefined) throw new Error(`column ${name}: no width is known for ${type}`)
  return width
}

function toSteps(widths: readonly number[]): number[] {
  const steps: number[] = [0]
  for (const width of widths) {
    if (width === 0) steps.push(0)
    else steps[steps.length - 1]! += width
  }
  return steps
}

/**
 * Rows in a RowBinary body, stepping over lengths and reading no value; -1 when it does not end with a row's last byte.
 * RowBinary has no frames: a body that is one byte short would take that byte from the next record's rows, and
 * ClickHouse might read the whole cut without complaint, with one person's bytes in another's columns.
 */
export function countRows(body: Buffer, format: number): number {
  const steps = STEPS[format]
  if (!steps) return -1
  const last = steps.length - 1
  const length = body.length
  let at = 0
  let rows = 0
  while (at < length) {
    for (let step = 0; step < last; step++) {
      at += steps[step]!
      let size = body[at++]!
      if (size >= 128) {
        size &= 127
        // Three bytes of length are 2 MB: more than any record may be.
        let byte = body[at++]!
        size |= (byte & 127) << 7
        if (byte >= 128) {
          byte = body[at++]!
          size |= byte << 14
          if (byte >= 128) return -1
        }
      }
      at += size
      if (!(at <= length)) return -1
    }
    at += steps[last]!
    rows++
  }
  return at === length ? rows : -1
}
