/**
 * Gathers look-ups that come within `windowMs` into one: a thousand requests that are verified at the same moment cost one
 * query a table. Each gets its own verdict; an error is everyone's, and each is asked again by itself.
 */
export function shareLooks<Verdict>(
  windowMs: number,
  look: (requestIds: string[]) => Promise<Map<string, Verdict>>,
): (requestId: string) => Promise<Verdict> {
  let open: { ids: Set<string>; verdicts: Promise<Map<string, Verdict>> } | undefined
  return async (requestId) => {
    if (!open) {
      const ids = new Set<string>()
      const verdicts = new Promise((resolve) => setTimeout(resolve, windowMs)).then(() => {
        // Whoever comes from here on is looked for by the next look.
        open = undefined
        return look([...ids])
      })
      open = { ids, verdicts }
    }
    open.ids.add(requestId)
    const verdict = (await open.verdicts).get(requestId)
    if (verdict === undefined) throw new Error('a look without a verdict')
    return verdict
  }
}
