/**
 * The typed search attributes that workflows set, so that the Temporal UI can be filtered by what a run was about.
 * The development server registers them when it starts; a real cluster does it once
 * (`temporal operator search-attribute create --name … --type …`).
 */
export const SEARCH_ATTRIBUTES = {
  EbbDay: 'Keyword',
  EbbStage: 'Keyword',
  EbbApp: 'Keyword',
  EbbDrift: 'Bool',
  EbbRows: 'Int',
  /** When operators are alerted that an erasure is late, and whether they were. */
  EbbDeadline: 'Datetime',
  EbbOverdue: 'Bool',
  /** Store that an erasure waits for; absent while none is in its way. */
  EbbBlockedStore: 'Keyword',
} as const
