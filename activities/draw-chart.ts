/**
 * A small SVG writer for reports: columns with an optional line on a scale of its own, and horizontal bars. Readable on
 * light and dark pages (colours follow `prefers-color-scheme`), with a title and a description for screen readers;
 * every value is also in a table of the report, so that the picture is never the only source.
 */

export interface Columns {
  kind: 'columns'
  title: string
  labels: string[]
  /** null: not shown, since fewer than k people stand behind it, drawn as a hatched stub; undefined: not known, left blank. */
  values: (number | null | undefined)[]
  valueLabel: string
  /** Drawn over the columns, scaled on the right. */
  line?: { label: string; values: (number | null)[] }
}

export interface Bars {
  kind: 'bars'
  title: string
  rows: { label: string; value: number; note: string }[]
}

export type Panel = Columns | Bars

const WIDTH = 960
const MARGIN = { left: 64, right: 72, top: 64, bottom: 34 }
const COLUMNS_HEIGHT = 260
const BAR_HEIGHT = 26
const PLOT_WIDTH = WIDTH - MARGIN.left - MARGIN.right

const STYLE = `
  .page { fill: #ffffff } .text { fill: #1f2328; font: 13px system-ui, sans-serif }
  .title { font-size: 16px; font-weight: 600 } .small { font-size: 11.5px } .quiet { fill: #59636e }
  .grid { stroke: #d1d9e0; stroke-width: 1 } .bar { fill: #2f6fb0 }
  .line { fill: none; stroke: #b3541e; stroke-width: 2.5 } .dot { fill: #b3541e } .right { fill: #9a4516 }
  .hidden { fill: url(#hatch) } .hatch { stroke: #59636e }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } .text { fill: #e6edf3 } .quiet { fill: #9198a1 } .grid { stroke: #30363d }
    .bar { fill: #5b9bd8 } .line { stroke: #f0975a } .dot { fill: #f0975a } .right { fill: #f0975a }
    .hatch { stroke: #9198a1 }
  }`

/** @returns one SVG document, the panels below one another. `description` says in words what is to be seen. */
export function drawChart(title: string, description: string, panels: Panel[]): string {
  let y = 12
  const drawn = panels.map((panel) => {
    const { svg, height } = panel.kind === 'columns' ? drawColumns(panel, y) : drawBars(panel, y)
    y += height
    return svg
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 12}" width="${WIDTH}" height="${y + 12}" role="img" aria-labelledby="chart-title chart-desc">`,
    `<title id="chart-title">${escapeXml(title)}</title>`,
    `<desc id="chart-desc">${escapeXml(description)}</desc>`,
    `<style>${STYLE}\n</style>`,
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line class="hatch" x1="0" y1="0" x2="0" y2="6" stroke-width="2"/></pattern></defs>',
    `<rect class="page" width="${WIDTH}" height="${y + 12}" rx="6"/>`,
    ...drawn,
    '</svg>\n',
  ].join('\n')
}

function drawColumns(panel: Columns, y: number): { svg: string; height: number } {
  const top = y + MARGIN.top
  const bottom = top + COLUMNS_HEIGHT
  const ticks = niceTicks(Math.max(0, ...panel.values.map((value) => value ?? 0)))
  const step = PLOT_WIDTH / Math.max(1, panel.labels.length)
  const toY = (value: number, max: number) => bottom - (value / max) * COLUMNS_HEIGHT
  const max = ticks.at(-1) ?? 1

  const out = [heading(panel.title, y)]
  out.push(drawLegend(panel, y + 46))
  for (const tick of ticks) {
    const at = round(toY(tick, max))
    out.push(`<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at}" y2="${at}"/>`)
    out.push(text(MARGIN.left - 8, at + 4, shorten(tick), 'small quiet', 'end'))
  }
  panel.values.forEach((value, index) => {
    const x = round(MARGIN.left + index * step + step * 0.15)
    if (value !== undefined) {
      const at = value === null ? bottom - 12 : round(toY(value, max))
      const name = `${panel.labels[index]}: ${value === null ? 'not shown' : value.toLocaleString('en-GB')}`
      out.push(
        `<rect class="${value === null ? 'hidden' : 'bar'}" x="${x}" y="${at}" width="${round(step * 0.7)}" height="${round(bottom - at)}"><title>${escapeXml(name)}</title></rect>`,
      )
    }
    // Labels that would touch each other are left out.
    if (index % Math.ceil(34 / step) === 0) {
      out.push(
        text(round(x + step * 0.35), bottom + 18, escapeXml(panel.labels[index] ?? ''), 'small', 'middle'),
      )
    }
  })
  if (panel.line) out.push(drawLine(panel.line.values, step, top, bottom))
  return { svg: out.join('\n'), height: MARGIN.top + COLUMNS_HEIGHT + MARGIN.bottom }
}

function drawLegend(panel: Columns, y: number): string {
  const entries = [
    `<tspan class="bar">■</tspan> ${escapeXml(panel.valueLabel)}`,
    ...(panel.line ? [`<tspan class="right">● ${escapeXml(panel.line.label)}</tspan>`] : []),
    ...(panel.values.includes(null) ? ['<tspan class="quiet">▨ too few people to show</tspan>'] : []),
  ]
  // A no-break space: SVG folds others into one.
  return text(MARGIN.left, y, entries.join('\u00a0\u00a0\u00a0'), 'small')
}

/** The line breaks where a value is missing: a gap is not a zero. */
function drawLine(values: (number | null)[], step: number, top: number, bottom: number): string {
  const ticks = niceTicks(Math.max(0, ...values.map((value) => value ?? 0)))
  const max = ticks.at(-1) ?? 1
  const out = ticks.map((tick) => {
    const at = round(bottom - (tick / max) * (bottom - top))
    return text(WIDTH - MARGIN.right + 8, at + 4, shorten(tick), 'small right')
  })
  let path = ''
  values.forEach((value, index) => {
    if (value === null) return
    const x = round(MARGIN.left + (index + 0.5) * step)
    const at = round(bottom - (value / max) * (bottom - top))
    path += `${index > 0 && values[index - 1] !== null ? 'L' : 'M'}${x} ${at}`
    out.push(`<circle class="dot" cx="${x}" cy="${at}" r="3.5"/>`)
  })
  return [`<path class="line" d="${path}"/>`, ...out].join('\n')
}

function drawBars(panel: Bars, y: number): { svg: string; height: number } {
  const labelWidth = 250
  const left = MARGIN.left + labelWidth
  const width = WIDTH - left - 190
  const max = Math.max(1, ...panel.rows.map((row) => row.value))
  const out = [heading(panel.title, y)]
  panel.rows.forEach((row, index) => {
    const at = y + 44 + index * BAR_HEIGHT
    const length = round((row.value / max) * width)
    out.push(text(left - 10, at + 14, escapeXml(clip(row.label, 38)), '', 'end'))
    out.push(`<rect class="bar" x="${left}" y="${at}" width="${length}" height="${BAR_HEIGHT - 8}"/>`)
    out.push(text(left + length + 8, at + 14, escapeXml(row.note), 'small quiet'))
  })
  if (panel.rows.length === 0) out.push(text(MARGIN.left, y + 58, 'nothing to show', 'quiet'))
  return { svg: out.join('\n'), height: 60 + Math.max(1, panel.rows.length) * BAR_HEIGHT }
}

function heading(title: string, y: number): string {
  return text(MARGIN.left, y + 24, escapeXml(title), 'title')
}

function text(x: number, y: number, content: string, classes: string, anchor = 'start'): string {
  return `<text class="text ${classes}" x="${x}" y="${y}" text-anchor="${anchor}">${content}</text>`
}

/** Round steps from 0 to the first one at or above `max`: 1, 2 or 5 times a power of ten, five steps at most. */
export function niceTicks(max: number): number[] {
  if (max <= 0) return [0, 1]
  const rough = max / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size * 5 >= max) ?? 10 * power
  const ticks = [0]
  while ((ticks.at(-1) ?? 0) < max) ticks.push(Number((ticks.length * step).toPrecision(12)))
  return ticks
}

/** 1,200 becomes 1.2k, 3,000,000 becomes 3M: axis labels only, tables have every digit. */
function shorten(value: number): string {
  for (const [size, unit] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (value >= size) return `${Number((value / size).toPrecision(4))}${unit}`
  }
  return String(value)
}

function clip(label: string, length: number): string {
  return label.length > length ? `${label.slice(0, length - 1)}…` : label
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

/** Labels hold paths and element ids, which clients choose: they must not become markup. */
export function escapeXml(value: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  // Control characters are no XML at all, escaped or not; a reader would refuse the whole file.
  return [...value]
    .filter((character) => character >= ' ' && character !== '\ufffe' && character !== '\uffff')
    .map((character) => entities[character] ?? character)
    .join('')
}
