import { parseArgs } from 'node:util'
import { measureGate } from './measure-gate.ts'

// Cost of the gate by itself: `node services/bootstrap.mjs bench/gate.ts [--seconds 2]`; the last line is JSON.
const { values } = parseArgs({ options: { seconds: { type: 'string', default: '2' } } })
const figures = measureGate(Number(values.seconds))
console.log(
  `gate: ${figures.gateUsPerEvent} µs an event of ${figures.eventBytes} bytes, JSON.parse ${figures.jsonParseUsPerEvent} µs`,
)
console.log(JSON.stringify(figures))
