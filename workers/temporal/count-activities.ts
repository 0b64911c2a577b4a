import { Counter, Histogram, type Registry } from 'prom-client'
import type { EtlActivities } from '../../schemas/etl.ts'

type Activity = (input: never) => Promise<unknown>

/** Counts activities by name and result, and times them, for the worker's /metrics. */
export function countActivities(activities: EtlActivities, registry: Registry): EtlActivities {
  const total = new Counter({
    name: 'ebb_etl_activities_total',
    help: 'Activity attempts by name and result.',
    labelNames: ['activity', 'result'],
    registers: [registry],
  })
  const seconds = new Histogram({
    name: 'ebb_etl_activity_seconds',
    help: 'Duration of activity attempts.',
    labelNames: ['activity'],
    buckets: [0.01, 0.1, 1, 10, 60, 600],
    registers: [registry],
  })
  const counted = Object.entries<Activity>({ ...activities }).map(([name, activity]) => [
    name,
    async (input: never) => {
      const end = seconds.startTimer({ activity: name })
      try {
        const result = await activity(input)
        total.inc({ activity: name, result: 'ok' })
        return result
      } catch (error) {
        total.inc({ activity: name, result: 'failed' })
        throw error
      } finally {
        end()
      }
    },
  ])
  return Object.fromEntries(counted) as EtlActivities
}
