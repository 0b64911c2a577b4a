import { Counter, Histogram, type Registry } from 'prom-client'

type Activity = (input: never) => Promise<unknown>

/**
 * Counts activities by name and result, and times them, for the worker's /metrics.
 * @param family of the metrics' names: `etl`, `erasure`
 */
export function countActivities<A extends Record<keyof A, Activity>>(
  activities: A,
  registry: Registry,
  family: string,
): A {
  const total = new Counter({
    name: `ebb_${family}_activities_total`,
    help: 'Activity attempts by name and result.',
    labelNames: ['activity', 'result'],
    registers: [registry],
  })
  const seconds = new Histogram({
    name: `ebb_${family}_activity_seconds`,
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
  return Object.fromEntries(counted) as A
}
