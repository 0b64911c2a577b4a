/** How figures stand in reports: grouped in thousands, decimals as they are, nothing rounded behind the reader's back. */

export function formatCount(value: number): string {
  return value.toLocaleString('en-GB')
}

/** Decimal text such as `1234.5000` in ten-thousandths of a unit, exactly. */
export function parseMoney(decimal: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d{1,4})\d*)?$/.exec(decimal)
  if (!match) throw new RangeError('not a decimal')
  const value = BigInt(match[2] ?? '0') * 10_000n + BigInt((match[3] ?? '').padEnd(4, '0'))
  return match[1] ? -value : value
}

/** `12,345.60 EUR`; more than two places are shown only where there are more. */
export function formatMoney(tenThousandths: bigint, currency: string): string {
  const absolute = tenThousandths < 0n ? -tenThousandths : tenThousandths
  const whole = (absolute / 10_000n).toLocaleString('en-GB')
  const places = String(absolute % 10_000n).padStart(4, '0')
  const fraction = places.endsWith('00') ? places.slice(0, 2) : places
  return `${tenThousandths < 0n ? '-' : ''}${whole}.${fraction} ${currency}`
}

/** For charts only, where a double is exact enough. */
export function moneyToNumber(tenThousandths: bigint): number {
  return Number(tenThousandths) / 10_000
}

/** `+12.5 %`; `–` where there is nothing to compare with. */
export function formatChange(now: number, before: number | null): string {
  if (before === null || before === 0) return '–'
  const percent = ((now - before) / before) * 100
  const rounded = Math.abs(percent) < 0.05 ? 0 : percent
  return `${rounded > 0 ? '+' : ''}${rounded.toFixed(1)} %`
}

/** `34.1 %` of a whole; `–` where the whole is nothing. */
export function formatShare(part: number, whole: number): string {
  return whole === 0 ? '–' : `${((part / whole) * 100).toFixed(1)} %`
}

/** A Markdown table; cells are escaped, since paths and element ids are what clients sent. First column left, others right. */
export function formatTable(head: string[], rows: string[][], textColumns = 1): string {
  const line = (cells: string[]) => `| ${cells.map(escapeCell).join(' | ')} |`
  const rule = `| ${head.map((_, index) => (index < textColumns ? ':--' : '--:')).join(' | ')} |`
  return [line(head), rule, ...rows.map(line)].join('\n')
}

/** The same for a terminal, padded. */
export function formatColumns(rows: string[][], textColumns = 1): string {
  const widths = (rows[0] ?? []).map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, index) => {
          const plain = stripControl(cell)
          return index < textColumns ? plain.padEnd(widths[index] ?? 0) : plain.padStart(widths[index] ?? 0)
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function escapeCell(cell: string): string {
  // An underscore within a word is no markup, and names of events read better without a stroke before it.
  return stripControl(cell).replace(/[\\`*{}[\]<>#|!&]|(?<!\w)_|_(?!\w)/g, (character) => `\\${character}`)
}

/** Escape sequences in a path must not reach a terminal, line ends not a table. */
function stripControl(cell: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be removed
  return cell.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '')
}
