import { Counter, Histogram, type Registry } from 'prom-client'

export interface GatewayMetrics {
  /** @param route method and template, never a path as it came. */
  answered(route: string, status: number, seconds: number): void
}

export function createGatewayMetrics(registry: Registry): GatewayMetrics {
  const calls = new Counter({
    name: 'ebb_gateway_calls_total',
    help: 'Calls by route and status',
    labelNames: ['route', 'status'],
    registers: [registry],
  })
  const duration = new Histogram({
    name: 'ebb_gateway_call_seconds',
    help: 'From the headers to the last byte of the answer',
    buckets: [0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
    registers: [registry],
  })
  return {
    answered(route, status, seconds) {
      calls.inc({ route, status })
      duration.observe(seconds)
    },
  }
}
