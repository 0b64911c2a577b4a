/**
 * Why something was not stored: closed lists, so that a reason can be counted and published without saying what
 * the content was. The gate never reports a value, nor the name of an undeclared field.
 */

/** The whole request is refused (4xx); nothing in it is stored. */
export const BATCH_CODES = {
  invalid_batch: 'The body is not a batch or event of the Segment API.',
  empty_batch: 'The batch holds no event.',
  too_many_events: 'The batch holds more events than one request may.',
} as const
export type BatchCode = keyof typeof BATCH_CODES

/** One event is refused, the others of its batch go on. */
export const REJECT_CODES = {
  invalid_event: 'The event is not an object, or a field of the Segment envelope has the wrong type.',
  unknown_type: 'The call type is not track, page, screen, identify, alias or group.',
  unknown_event: 'No definition declares an event of this name.',
  missing_identity: 'Neither userId nor anonymousId (for alias: previousId) says whose event it is.',
  invalid_identity: 'An id is empty, longer than 256 characters or not valid text.',
  invalid_property: 'A declared property has the wrong type, is out of range, too long or not valid text.',
  missing_property: 'A property that the definition requires is absent.',
  too_many_properties: 'The event has more properties than allowed.',
  too_deep: 'The event is nested deeper than allowed.',
  event_too_large: 'The event is larger than 32 KB.',
  invalid_timestamp: 'The timestamp is not a time.',
  too_old: "The event is older than the app's maximum age.",
} as const
export type RejectCode = keyof typeof REJECT_CODES

/** A field is left out, its event is stored without it. */
export const DROP_CODES = {
  undeclared_property: 'A property that the event definition does not declare.',
  undeclared_field: 'A field of the event beside those of the Segment API.',
  context: 'A context field that is not kept (user agent, locale, IP, location, ...).',
  trait: 'A trait, or a group id, that no definition declares.',
  personal: 'A property or trait that is declared personal: it is not stored with events.',
  email: 'A value that holds an e-mail address.',
  phone: 'A value that holds a phone number.',
  payment_card: 'A value that holds a payment card number.',
  national_id: 'A value that holds a national identity or tax number.',
  ip_address: 'A value that holds an IP or MAC address.',
  bank_account: 'A value that holds an IBAN.',
  location: 'A value that holds precise coordinates.',
  own_identifier: "A value that repeats one of the event's own ids.",
  opaque_id: 'A path segment that is an opaque id or token.',
} as const
export type DropCode = keyof typeof DROP_CODES
