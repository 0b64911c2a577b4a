import type { EventDefinition } from './event-definition.ts'

/** Every event that may be stored, by name. */
export interface Registry {
  readonly definitions: ReadonlyMap<string, EventDefinition>
}

/**
 * The built-in definitions and those of an app's JSON file.
 * @param json content of the file (parsed), undefined for the built-ins alone.
 * @throws RegistryError that names the definition and the mistake.
 */
export function loadRegistry(_json?: unknown): Registry {
  throw new Error('to come')
}
