import { proxyActivities } from '@temporalio/workflow'
import type { FollowUpActivities } from '../schemas/erasure.ts'

/** Two tries: the schedule comes again in minutes. */
const { followUpErasures: followUp } = proxyActivities<FollowUpActivities>({
  startToCloseTimeout: '2m',
  retry: { maximumAttempts: 2 },
})

/** Looks after erasures that nobody would ask for again: late links of erased people, and requests that were never started. */
export async function followUpErasures(): Promise<{ late: number; started: number }> {
  return await followUp.executeWithOptions({ summary: 'Late links, forgotten requests' }, [])
}
