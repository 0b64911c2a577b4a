import { proxyActivities } from '@temporalio/workflow'
import type { BackupActivities } from '../schemas/backup.ts'

/**
 * A copy of everything: hours on a large installation; the beat tells a dead worker within a minute. Retries end before the
 * next day's run is due, which begins anew.
 */
export const copies = proxyActivities<Pick<BackupActivities, 'takeBackup'>>({
  startToCloseTimeout: '6h',
  heartbeatTimeout: '1m',
  scheduleToCloseTimeout: '12h',
  retry: { initialInterval: '5s', backoffCoefficient: 2, maximumInterval: '5m' },
})

/** Some segments, or some deletions; what is left over is the next run's, two minutes later. */
export const upkeep = proxyActivities<Pick<BackupActivities, 'shipWal' | 'expireBackups'>>({
  startToCloseTimeout: '10m',
  heartbeatTimeout: '1m',
  scheduleToCloseTimeout: '30m',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
})
