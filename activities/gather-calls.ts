/**
 * Gathers calls that come within `windowMs` into one run over all of them: a thousand sagas that take the same step at the
 * same moment cost one statement. All of a run succeed or fail together.
 */
export function gatherCalls<Item>(
  windowMs: number,
  run: (items: Item[]) => Promise<void>,
): (item: Item) => Promise<void> {
  let open: { items: Item[]; done: Promise<void> } | undefined
  return (item) => {
    if (!open) {
      const items: Item[] = []
      const done = new Promise((resolve) => setTimeout(resolve, windowMs)).then(() => {
        // Who comes from here on is in the next run.
        open = undefined
        return run(items)
      })
      open = { items, done }
    }
    open.items.push(item)
    return open.done
  }
}
