/** Everything that a worker bundles as a workflow; the export's name is the workflow's type. */
export { businessReport } from './business-report.ts'
export { dailyEtl } from './daily-etl.ts'
export { eraseBatch } from './erase-batch.ts'
export { eraseSubject } from './erase-subject.ts'
export { monthlyTrends } from './monthly-trends.ts'
