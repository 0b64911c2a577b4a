import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker'

/** Errors only: a test or a drill that provokes failures would drown its own report otherwise. Once a process, before any worker. */
export function quietTemporal(): void {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) },
    },
  })
}
