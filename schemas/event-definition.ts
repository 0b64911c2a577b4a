import { z } from 'zod'

/**
 * string: text, searched for sensitive data. number, integer: finite, within ±1e15. enum: one of `values`.
 * money: a number, or a decimal string, in the currency's unit. id: a text or integer that could be joined with another
 * system; only its keyed hash is stored.
 */
export const PropertyType = z.enum(['string', 'number', 'integer', 'boolean', 'enum', 'money', 'id'])
export type PropertyType = z.infer<typeof PropertyType>

/** What the value may be used for. Consent is asked by purpose. */
export const Purpose = z.enum(['analytics', 'commerce', 'learning', 'personalisation', 'operations'])
export type Purpose = z.infer<typeof Purpose>

/** `personal` and `special` are never written to `events_raw`: they are dropped and counted. */
export const Sensitivity = z.enum(['none', 'personal', 'special'])
export type Sensitivity = z.infer<typeof Sensitivity>

/** A trait by which a person can be found who asks to be erased. Named as the labels of a request's identifiers. */
export const ContactKind = z.enum(['email', 'phone'])
export type ContactKind = z.infer<typeof ContactKind>

/** Where in `events_raw` the value goes; `props` is the JSON text of all that has no column of its own. */
export const Column = z.enum([
  'path',
  'element',
  'product',
  'revenue',
  'currency',
  'orderId',
  'session',
  'props',
])
export type Column = z.infer<typeof Column>

/** Characters a string property may have where its definition does not say. */
export const DEFAULT_MAX_LENGTH = 256
/** Bound of every number. */
export const MAX_NUMBER = 1e15
/** Bound of money in the currency's unit: its 1/10,000 are still exact in a double. */
export const MAX_MONEY = 9e11
/** Characters of an id. */
export const MAX_ID_LENGTH = 256

export const PropertyDefinition = z
  .strictObject({
    type: PropertyType,
    purpose: Purpose,
    sensitivity: Sensitivity.default('none'),
    column: Column.default('props'),
    /** Characters, for strings. */
    maxLength: z.number().int().min(1).max(4096).default(DEFAULT_MAX_LENGTH),
    /** Inclusive bounds, for number, integer and money. */
    min: z.number().min(-MAX_NUMBER).max(MAX_NUMBER).optional(),
    max: z.number().min(-MAX_NUMBER).max(MAX_NUMBER).optional(),
    /** The allowed values of an enum. */
    values: z.array(z.string().min(1).max(64)).min(1).max(256).optional(),
    /**
     * `text` may hold what people type: when in doubt the detectors drop. `code` holds SKUs, element ids and the like:
     * bare digits without a strong check are left alone.
     */
    content: z.enum(['text', 'code']).default('text'),
    required: z.boolean().default(false),
    /** A personal trait of identify that is kept in the vault, sealed under the person's own key; never with events. */
    vault: z.boolean().default(false),
    /** A trait of the vault that is an address or a number: its keyed hash is kept beside it, so that a request finds the person. */
    contact: ContactKind.optional(),
  })
  .superRefine((property, context) => {
    const mistake = propertyMistake(property)
    if (mistake) context.addIssue({ code: 'custom', message: mistake })
  })
export type PropertyDefinition = z.infer<typeof PropertyDefinition>

interface PropertyShape {
  vault: boolean
  contact?: ContactKind | undefined
  sensitivity: Sensitivity
  type: PropertyType
  column: Column
  values?: string[] | undefined
  min?: number | undefined
  max?: number | undefined
}

const COLUMN_TYPES: Record<Column, readonly PropertyType[] | undefined> = {
  path: ['string'],
  element: ['string', 'enum'],
  product: ['string', 'enum'],
  revenue: ['money'],
  currency: ['string'],
  orderId: ['id'],
  session: ['id'],
  props: undefined,
}

function propertyMistake(property: PropertyShape): string | undefined {
  const types = COLUMN_TYPES[property.column]
  if (types && !types.includes(property.type)) {
    return `column ${property.column} takes type ${types.join(' or ')}, not ${property.type}`
  }
  if ((property.type === 'enum') !== (property.values !== undefined))
    return 'values belong to type enum, and enum needs them'
  const numeric = property.type === 'number' || property.type === 'integer' || property.type === 'money'
  if (!numeric && (property.min !== undefined || property.max !== undefined))
    return 'min and max belong to numbers'
  if (property.vault && (property.sensitivity !== 'personal' || property.type !== 'string'))
    return 'vault is for traits of type string and sensitivity personal'
  if (property.contact !== undefined && !property.vault) return 'contact is for traits of the vault'
  if ((property.min ?? -Infinity) > (property.max ?? Infinity)) return 'min is above max'
  return undefined
}

/** A property's name; the first character keeps `__proto__` and its like out. */
export const PropertyName = z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/)

export const EventDefinition = z.strictObject({
  name: z.string().regex(/^[A-Za-z][A-Za-z0-9_ .:-]{0,63}$/),
  description: z.string().max(500).default(''),
  /** Properties, or for identify and group the traits, that may be stored. All others are dropped and counted. */
  properties: z.record(PropertyName, PropertyDefinition),
})
export type EventDefinition = z.infer<typeof EventDefinition>

/** Money as text: at most four decimals, no exponent. */
export const MONEY_TEXT = /^-?\d{1,12}(?:\.\d{1,4})?$/
/** ISO 4217, in either case. */
export const CURRENCY_TEXT = /^[A-Za-z]{3}$/

/**
 * The properties of one definition as zod sees them: the reference that the gate's compiled readers must agree with. Null
 * counts as absent, unknown keys are dropped.
 */
export function propertiesSchema(definition: EventDefinition): z.ZodType<Record<string, unknown>> {
  const shape: Record<string, z.ZodType> = {}
  for (const [name, property] of Object.entries(definition.properties)) {
    if (property.sensitivity !== 'none') continue
    const value = valueSchema(property)
    shape[name] = property.required ? value : value.nullish()
  }
  return z.object(shape)
}

function valueSchema(property: PropertyDefinition): z.ZodType {
  const min = property.min ?? -MAX_NUMBER
  const max = property.max ?? MAX_NUMBER
  switch (property.type) {
    case 'string':
      return property.column === 'currency'
        ? z.string().regex(CURRENCY_TEXT)
        : z.string().max(property.maxLength)
    case 'number':
      return z.number().min(min).max(max)
    case 'integer':
      return z.int().min(min).max(max)
    case 'boolean':
      return z.boolean()
    case 'enum':
      return z.enum(property.values as [string, ...string[]])
    case 'money': {
      const amount = z.number().min(Math.max(min, -MAX_MONEY)).max(Math.min(max, MAX_MONEY))
      return z.union([amount, z.string().regex(MONEY_TEXT).transform(Number).pipe(amount)])
    }
    case 'id':
      return IdText
  }
}

/** An id as clients send it: text of 1 to 256 characters, well-formed, or an integer; '' counts as absent. */
export const IdText = z.union([
  z
    .string()
    .max(MAX_ID_LENGTH)
    .refine((text) => !/\p{Surrogate}/u.test(text)),
  z.number().int(),
])
