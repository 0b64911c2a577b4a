/** While no look is under way: who asks alone does not wait for company that does not come. */
const IDLE_WINDOW_MS = 20

/**
 * Gathers look-ups that come within `windowMs` into one: a thousand requests that are verified at the same moment cost some
 * queries a table. Each gets its own verdict; an error is everyone's, and each is asked again by itself.
 */
export function shareLooks<Verdict>(
  windowMs: number,
  look: (requestIds: string[]) => Promise<Map<string, Verdict>>,
): (requestId: string) => Promise<Verdict> {
  let open: { ids: Set<string>; verdicts: Promise<Map<string, Verdict>> } | undefined
  let underWay = 0
  return async (requestId) => {
    if (!open) {
      const ids = new Set<string>()
      const waitMs = underWay === 0 ? Math.min(IDLE_WINDOW_MS, windowMs) : windowMs
      const verdicts = new Promise((resolve) => setTimeout(resolve, waitMs)).then(() => {
        // Whoever comes from here on is looked for by the next look.
        open = undefined
        underWay += 1
        return look([...ids]).finally(() => {
          underWay -= 1
        })
      })
      open = { ids, verdicts }
    }
    open.ids.add(requestId)
    const verdict = (await open.verdicts).get(requestId)
    if (verdict === undefined) throw new Error('a look without a verdict')
    return verdict
  }
}
