import type { DropCode } from '../../schemas/reject-code.ts'
import { readDigitRuns } from './digit-runs.ts'
import { hasCard } from './find-card.ts'
import { hasEmail, hasEncodedEmail } from './find-email.ts'
import { hasLocation } from './find-location.ts'
import { hasIban, hasNationalId } from './find-national-id.ts'
import { hasNetworkAddress } from './find-network-address.ts'
import { hasPhone } from './find-phone.ts'
import { AT, COLON, LONG_RUN, LOWER, MANY_DIGITS, SOME_DIGITS, scanText, UPPER } from './scan-text.ts'
import { unfoldText } from './unfold-text.ts'

/** `text`: when in doubt, it is sensitive. `code`: bare digits without a strong check are left alone. */
export type Content = 'text' | 'code'

/**
 * Looks for personal data in a text that would be stored. Every search is linear in the text's length.
 * @returns the code of the first kind found, undefined where there is none.
 */
export function findSensitive(raw: string, content: Content): DropCode | undefined {
  const text = unfoldText(raw, scanText(raw))
  const flags = scanText(text)
  if ((flags & AT) !== 0 && hasEmail(text)) return 'email'
  if ((flags & (COLON | SOME_DIGITS)) !== 0 && hasNetworkAddress(text)) return 'ip_address'
  if ((flags & MANY_DIGITS) !== 0) {
    const code = findInDigits(text, content)
    if (code !== undefined) return code
  }
  const isEncoded = (flags & LONG_RUN) !== 0 && ((flags & UPPER) !== 0 || (flags & MANY_DIGITS) !== 0)
  if (isEncoded && (flags & (LOWER | MANY_DIGITS)) !== 0 && hasEncodedEmail(text)) return 'email'
  return undefined
}

function findInDigits(text: string, content: Content): DropCode | undefined {
  if (hasLocation(text)) return 'location'
  const runs = readDigitRuns(text)
  if (runs.some(hasCard)) return 'payment_card'
  if (hasIban(text)) return 'bank_account'
  if (hasNationalId(text, runs, content)) return 'national_id'
  if (runs.some((run) => hasPhone(run, content))) return 'phone'
  return undefined
}
