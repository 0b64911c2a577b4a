import {
  type EventDefinition,
  MAX_MONEY,
  MAX_NUMBER,
  type PropertyDefinition,
} from '../schemas/event-definition.ts'
import type { Registry } from '../schemas/registry.ts'

/** A property definition with all that the hot path needs worked out once. */
export interface CompiledProperty {
  name: string
  /** `"name":`, as it stands in the JSON text of `props`. */
  jsonKey: string
  type: PropertyDefinition['type']
  column: PropertyDefinition['column']
  content: PropertyDefinition['content']
  maxLength: number
  min: number
  max: number
  /** Allowed value to its JSON text, for enums. */
  values: ReadonlyMap<string, string>
  /** Column `path` holds a screen's name here, not a path. */
  isName: boolean
  /** Not stored in `events_raw`, whatever it holds. */
  personal: boolean
  /** A personal trait that is kept in the vault. */
  vault: boolean
}

export interface CompiledDefinition {
  name: string
  properties: ReadonlyMap<string, CompiledProperty>
  required: readonly string[]
}

const compiled = new WeakMap<Registry, ReadonlyMap<string, CompiledDefinition>>()

/** Compiles a registry at its first use; a registry never changes, so the result is kept beside it. */
export function compileRegistry(registry: Registry): ReadonlyMap<string, CompiledDefinition> {
  let definitions = compiled.get(registry)
  if (!definitions) {
    definitions = new Map(
      [...registry.definitions].map(([name, definition]) => [name, compileDefinition(definition)]),
    )
    compiled.set(registry, definitions)
  }
  return definitions
}

export function compileDefinition(definition: EventDefinition): CompiledDefinition {
  const properties = new Map<string, CompiledProperty>()
  const required: string[] = []
  for (const [name, property] of Object.entries(definition.properties)) {
    properties.set(name, compileProperty(name, property))
    if (property.required && property.sensitivity === 'none') required.push(name)
  }
  return { name: definition.name, properties, required }
}

function compileProperty(name: string, property: PropertyDefinition): CompiledProperty {
  const bound = property.type === 'money' ? MAX_MONEY : MAX_NUMBER
  return {
    name,
    jsonKey: `${JSON.stringify(name)}:`,
    type: property.type,
    column: property.column,
    content: property.content,
    maxLength: property.maxLength,
    min: Math.max(property.min ?? -bound, -bound),
    max: Math.min(property.max ?? bound, bound),
    values: new Map((property.values ?? []).map((value) => [value, JSON.stringify(value)])),
    isName: property.column === 'path' && name === 'name',
    personal: property.sensitivity !== 'none',
    vault: property.vault,
  }
}
