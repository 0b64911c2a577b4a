import { type DataPlace, describePlaces } from './data-place.ts'
import { EVENT_HEADERS, TOPICS } from './event-record.ts'

export const kafkaPlaces: readonly DataPlace[] = [
  ...describePlaces(
    {
      store: 'kafka',
      object: TOPICS.events,
      purpose: 'events on their way to ClickHouse',
      retention: '24 hours',
      erasure: 'expires by itself',
    },
    {
      pseudonym: 'key',
      behaviour: 'value',
      'pseudonymous link': EVENT_HEADERS.batch,
      bookkeeping: [EVENT_HEADERS.app, EVENT_HEADERS.count, EVENT_HEADERS.format, EVENT_HEADERS.crc].join(
        ' ',
      ),
    },
  ),
  ...describePlaces(
    {
      store: 'kafka',
      object: TOPICS.eventsRejected,
      purpose: 'why events were refused: codes and counts, never content',
      retention: '7 days',
      erasure: 'holds no person',
    },
    { bookkeeping: 'key value' },
  ),
  ...describePlaces(
    {
      store: 'kafka',
      object: TOPICS.subjectStates,
      purpose: 'block of a person, then a cutoff by which late batches are known, for collectors',
      retention: 'compacted; a cutoff stands for the greatest age of an event, then the request withdraws it',
      erasure: 'expires by itself',
    },
    { pseudonym: 'key', time: 'value' },
  ),
  ...describePlaces(
    {
      store: 'kafka',
      object: TOPICS.revocations,
      purpose: 'tokens whose events must not be stored',
      retention: 'compacted, kept beyond the retention of events',
      erasure: 'expires by itself',
    },
    { pseudonym: 'key', time: 'value' },
  ),
]
