import type { EventRecord } from '../schemas/event-record.ts'
import type { BatchStamp, Person } from './admit.ts'
import type { SubjectKeys } from './subject-keys.ts'

/**
 * Turns one person's admitted events into the record that goes to Kafka: ids become keyed hashes under the subject's own
 * key, rows become RowBinary. Pure: same input, same record.
 * @param stamp `Admitted.stamp` of the batch.
 */
export function tokenise(_person: Person, _keys: SubjectKeys, _stamp: BatchStamp): EventRecord {
  throw new Error('to come')
}
