/** The buckets, without the configured prefix. All are versioned: a purge must name every version. */
export const BUCKETS = ['archive', 'backups', 'exports', 'log', 'journal'] as const
export type Bucket = (typeof BUCKETS)[number]
