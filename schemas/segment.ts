import { z } from 'zod'
import { IdText } from './event-definition.ts'

/** The calls of Segment's tracking API. https://segment.com/docs/connections/spec/ */
export const SegmentCall = z.enum(['track', 'page', 'screen', 'identify', 'alias', 'group'])
export type SegmentCall = z.infer<typeof SegmentCall>

const id = IdText.nullish()
const object = z.looseObject({}).nullish()
/** ISO 8601 text, or a number: milliseconds since 1970, or seconds where it is below 1e11. */
const time = z.union([z.string(), z.number()]).nullish()

/** Where an event came from; all but these fields is dropped. */
export const SegmentContext = z.looseObject({
  page: z.looseObject({ path: z.string().nullish() }).nullish(),
  device: z.looseObject({ id }).nullish(),
  sessionId: id,
  session_id: id,
  ip: z.string().nullish(),
})
export type SegmentContext = z.infer<typeof SegmentContext>

/**
 * One event as clients send it. Unknown fields are allowed here and dropped by the gate. Whether the ids, the event's
 * name and its properties will do is for the gate to say.
 */
export const SegmentEvent = z.looseObject({
  type: SegmentCall,
  messageId: id,
  userId: id,
  anonymousId: id,
  previousId: id,
  groupId: id,
  /** Name of a track call. */
  event: z.string().nullish(),
  /** Name and category of a page or screen call. */
  name: z.string().nullish(),
  category: z.string().nullish(),
  timestamp: time,
  sentAt: time,
  context: SegmentContext.nullish(),
  properties: object,
  traits: object,
  integrations: object,
})
export type SegmentEvent = z.infer<typeof SegmentEvent>

/** The body of `POST /v1/batch`. Its events are judged one by one, so that one bad event does not cost the others. */
export const SegmentBatch = z.looseObject({
  batch: z.array(z.unknown()),
  sentAt: time,
  messageId: id,
  writeKey: z.string().nullish(),
  context: z.unknown().optional(),
})
export type SegmentBatch = z.infer<typeof SegmentBatch>
