import type { DropCode } from '../../schemas/reject-code.ts'

/** `text`: when in doubt, it is sensitive. `code`: bare digits without a strong check are left alone. */
export type Content = 'text' | 'code'

/**
 * Looks for personal data in a text that would be stored.
 * @returns the code of the first kind found, undefined where there is none.
 */
export function findSensitive(text: string, _content: Content): DropCode | undefined {
  const at = text.indexOf('@')
  if (at > 0 && text.indexOf('.', at) > 0) return 'email'
  return undefined
}
