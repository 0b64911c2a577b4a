import type { Connection } from '@temporalio/client'
import { EbbError } from '../../runtime/errors.ts'
import { SEARCH_ATTRIBUTES } from '../../schemas/search-attributes.ts'

/** Temporal's IndexedValueType, by the names that schemas/search-attributes.ts uses. */
const INDEXED_VALUE_TYPES = { Keyword: 2, Int: 3, Bool: 5, Datetime: 6 } as const

/** Each search attribute with its type in Temporal's numbering. */
export const SEARCH_ATTRIBUTE_TYPES: Record<string, number> = Object.fromEntries(
  Object.entries(SEARCH_ATTRIBUTES).map(([name, type]) => [name, INDEXED_VALUE_TYPES[type]]),
)

/**
 * Registers the search attributes that are missing; a workflow that sets an unknown one would hang in retries.
 * @throws EbbError `search_attributes_missing` where the server does not let us, with the command that does it.
 */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace })
  const missing = Object.entries(SEARCH_ATTRIBUTES).filter(([name]) => !(name in (customAttributes ?? {})))
  if (missing.length === 0) return
  const searchAttributes = Object.fromEntries(
    missing.map(([name, type]) => [name, INDEXED_VALUE_TYPES[type]]),
  )
  try {
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes })
  } catch (cause) {
    const commands = missing.map(([name, type]) => `--name ${name} --type ${type}`).join(' ')
    throw new EbbError(
      'search_attributes_missing',
      `run: temporal operator search-attribute create --namespace ${namespace} ${commands}`,
      { cause },
    )
  }
}
