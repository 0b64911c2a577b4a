import { z } from 'zod'
import { BUILT_IN_EVENTS } from './built-in-events.ts'
import { type ContactKind, EventDefinition, PropertyDefinition, PropertyName } from './event-definition.ts'

/** Every event that may be stored, by name. Immutable once loaded. */
export interface Registry {
  readonly definitions: ReadonlyMap<string, EventDefinition>
}

/** A mistake in an app's event definitions. The message names the definition and the field. */
export class RegistryError extends Error {
  readonly code = 'bad_event_definitions'
  constructor(message: string) {
    super(message)
    this.name = 'RegistryError'
  }
}

/**
 * An app's file: `{"events": [...]}`. `extends` names a built-in or an earlier definition whose properties are taken over,
 * the new ones going first; a definition with a taken name must extend that very one, so that nothing is replaced by accident.
 */
const DefinitionFile = z.strictObject({
  events: z.array(
    z.strictObject({
      name: EventDefinition.shape.name,
      description: EventDefinition.shape.description,
      extends: z.string().optional(),
      properties: z.record(PropertyName, PropertyDefinition),
    }),
  ),
})

/**
 * The built-in definitions and those of an app's JSON file.
 * @param json content of the file (parsed), undefined for the built-ins alone.
 * @throws RegistryError that names the definition and the mistake.
 */
export function loadRegistry(json?: unknown): Registry {
  const definitions = new Map<string, EventDefinition>()
  for (const definition of BUILT_IN_EVENTS)
    definitions.set(definition.name, EventDefinition.parse(definition))
  if (json === undefined) return { definitions }

  const file = DefinitionFile.safeParse(json)
  if (!file.success) throw new RegistryError(`event definitions: ${describeIssues(file.error, json)}`)
  for (const { extends: base, ...definition } of file.data.events) {
    const taken = definitions.get(definition.name)
    if (taken && base !== definition.name) {
      throw new RegistryError(
        `event ${definition.name} exists already: say "extends": "${definition.name}" to add to it`,
      )
    }
    const parent = base === undefined ? undefined : definitions.get(base)
    if (base !== undefined && !parent) {
      throw new RegistryError(`event ${definition.name} extends ${base}, which is not defined before it`)
    }
    definitions.set(definition.name, {
      ...definition,
      description: definition.description || (taken?.description ?? ''),
      properties: { ...parent?.properties, ...definition.properties },
    })
  }
  return { definitions }
}

/** Traits of `identify` that are an address or a number, by name. */
export function contactTraits({ definitions }: Registry): ReadonlyMap<string, ContactKind> {
  const traits = Object.entries(definitions.get('identify')?.properties ?? {})
  return new Map(traits.flatMap(([name, { contact }]) => (contact ? [[name, contact] as const] : [])))
}

/** "purchase.properties.price.type: Invalid option …": indices are put in words by the event's name. */
function describeIssues(error: z.ZodError, json: unknown): string {
  return error.issues
    .slice(0, 5)
    .map((issue) => {
      const [first, index, ...rest] = issue.path
      const event = first === 'events' && typeof index === 'number' ? eventName(json, index) : undefined
      const place = event === undefined ? issue.path.join('.') : [event, ...rest].join('.')
      return `${place || 'file'}: ${issue.message}`
    })
    .join('; ')
}

function eventName(json: unknown, index: number): string {
  const name = (json as { events: { name?: unknown }[] }).events[index]?.name
  return typeof name === 'string' ? name : `events[${index}]`
}
