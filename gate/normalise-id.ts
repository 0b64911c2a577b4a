/** Percent-encoding and `+` for a space undone, compatibility forms folded, case ignored: forms in which an id may be written again. */
export function normalise(text: string): string {
  let plain = text
  try {
    plain = decodeURIComponent(text)
  } catch {
    // Not percent-encoded after all.
  }
  return plain.replaceAll('+', ' ').normalize('NFKC').toLowerCase()
}
