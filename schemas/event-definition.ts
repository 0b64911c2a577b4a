import { z } from 'zod'

export const PropertyType = z.enum(['string', 'number', 'integer', 'boolean', 'enum', 'money', 'id'])
export type PropertyType = z.infer<typeof PropertyType>

export const EventDefinition = z.strictObject({ name: z.string() })
export type EventDefinition = z.infer<typeof EventDefinition>
