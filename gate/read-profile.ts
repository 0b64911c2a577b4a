import type { DraftEvent } from './work.ts'

/** What a person says of themselves by identify, for the vault; never part of an event. */
export interface Profile {
  /** Traits declared `personal` and `vault`: to be sealed under the person's own key. */
  personal: Record<string, string>
  /** Declared traits without sensitivity. */
  public: Record<string, unknown>
}

/** Traits of a person's identify calls, later ones first come last; undefined where there are none. */
export function readProfile(events: readonly DraftEvent[]): Profile | undefined {
  let profile: Profile | undefined
  for (const draft of events) {
    if (draft.event !== 'identify' || (draft.vault === undefined && draft.props === '{}')) continue
    profile ??= { personal: {}, public: {} }
    Object.assign(profile.personal, draft.vault)
    const traits = JSON.parse(draft.props) as Record<string, unknown>
    // Where the app keeps a network of the IP address, it belongs to the event.
    delete traits.ip_prefix
    Object.assign(profile.public, traits)
  }
  return profile
}
