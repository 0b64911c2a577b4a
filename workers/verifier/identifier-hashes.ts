import { createHmac } from 'node:crypto'
import type { PersonIdentifier } from '../../schemas/erasure.ts'

// What the gate makes of a person's identifiers, worked out anew: a mistake there is not repeated here.

/** Handles (hex) under which an app's events may know somebody: an e-mail address or a phone number may be a user id. */
export function handlesOf(lookupKey: Buffer, identifiers: readonly PersonIdentifier[]): string[] {
  const ids = identifiers.flatMap(({ label, value }) => {
    if (label === 'anonymousId') return [`anonymous\0${value}`]
    const typed = label === 'email' ? [value, value.toLowerCase()] : [value]
    return [...typed, ...oneForm(label, value)].map((id) => `user\0${id}`)
  })
  return [...new Set(ids.map((id) => hashOf(lookupKey, id)))]
}

/** Hashes (hex) by which somebody is known who gave one of these addresses or numbers as a trait. */
export function contactsOf(lookupKey: Buffer, identifiers: readonly PersonIdentifier[]): string[] {
  const contacts = identifiers.flatMap(({ label, value }) => {
    return oneForm(label, value).map((text) => `contact-${label}\0${text}`)
  })
  return [...new Set(contacts.map((contact) => hashOf(lookupKey, contact)))]
}

/** None of what is no address or number, or says nothing. */
function oneForm(label: PersonIdentifier['label'], value: string): string[] {
  if (label !== 'email' && label !== 'phone') return []
  const text = label === 'email' ? value.normalize('NFC').trim().toLowerCase() : numberOf(value)
  return text === '' ? [] : [text]
}

/** Digits, with a plus where one stands before the first of them. */
function numberOf(text: string): string {
  const digits = text.match(/[0-9]/g)
  if (!digits) return ''
  const before = text.slice(0, text.indexOf(digits[0]!))
  return (before.includes('+') ? '+' : '') + digits.join('')
}

function hashOf(lookupKey: Buffer, text: string): string {
  return createHmac('sha256', lookupKey).update(text).digest('hex')
}
