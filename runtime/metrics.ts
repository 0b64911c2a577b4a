import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { collectDefaultMetrics, Registry } from 'prom-client'

/** A registry with the process's own figures (memory, CPU, event loop) already in it. */
export function createMetrics(processName: string): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ process: processName })
  // The event loop's delay is sampled by a timer: every 10 ms, the default, it costs an idle process more than all else it does.
  // Its figures hold the interval: `nodejs_eventloop_lag_p99_seconds` of a loop that is never late is 0.1.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 })
  return registry
}

/**
 * Serves `GET /metrics` (Prometheus text) and `GET /health` (200 or 503) on loopback.
 * @param port 0 picks a free one. @returns the port in use and a close function.
 */
export async function serveMetrics(
  registry: Registry,
  port: number,
  healthy: () => boolean,
): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.url === '/health') {
      response.writeHead(healthy() ? 200 : 503).end(healthy() ? 'ok\n' : 'not ready\n')
      return
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
