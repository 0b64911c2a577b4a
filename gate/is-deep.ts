/** Levels of nesting that an event may have; Segment's own need five. */
export const MAX_DEPTH = 20
/** Size of one event, as the Segment API has it. */
export const MAX_EVENT_BYTES = 32 * 1024

/**
 * Whether a value is nested deeper than `levels`. Iterative: a client chooses the depth, so recursion would let it
 * choose our stack.
 */
export function isDeep(value: object, levels: number): boolean {
  let layer: object[] = [value]
  for (let level = 1; layer.length > 0; level++) {
    if (level > levels) return true
    const next: object[] = []
    for (const parent of layer) {
      for (const key in parent) {
        const child = (parent as Record<string, unknown>)[key]
        if (typeof child === 'object' && child !== null) next.push(child)
      }
    }
    layer = next
  }
  return false
}

/** About the bytes an event takes as JSON: keys and strings in UTF-8, without escapes. Stops counting above `limit`. */
export function isLarger(value: unknown, limit: number): boolean {
  let bytes = 0
  const open: unknown[] = [value]
  while (open.length > 0) {
    const current = open.pop()
    if (typeof current === 'string') bytes += Buffer.byteLength(current) + 3
    else if (typeof current !== 'object' || current === null) bytes += String(current).length + 1
    else {
      bytes += 2
      const isList = Array.isArray(current)
      for (const key in current) {
        if (!isList) bytes += Buffer.byteLength(key) + 3
        open.push((current as Record<string, unknown>)[key])
      }
    }
    if (bytes > limit) return true
  }
  return false
}
