import { z } from 'zod'

/** The calls of Segment's tracking API. https://segment.com/docs/connections/spec/ */
export const SegmentCall = z.enum(['track', 'page', 'screen', 'identify', 'alias', 'group'])
export type SegmentCall = z.infer<typeof SegmentCall>
