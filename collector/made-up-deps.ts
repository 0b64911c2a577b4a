import type { StoreDeps } from './store-events.ts'

/** For units: nobody is being erased, and nobody has a profile. */
export function nobodySuppressed(): Pick<
  StoreDeps,
  'states' | 'quiet' | 'profiles' | 'noteLate' | 'suppressMs'
> {
  return {
    states: {
      isEmpty: () => true,
      get: () => undefined,
      version: () => 0,
      isFresh: () => true,
      endsAt: () => Number.POSITIVE_INFINITY,
      learnLinked: () => {},
      size: () => 0,
      close: async () => {},
    },
    quiet: { note: () => {}, spend: async () => false, forget: () => {} },
    profiles: { write: () => undefined, forget: () => {} },
    noteLate: async () => {},
    suppressMs: undefined,
  }
}
