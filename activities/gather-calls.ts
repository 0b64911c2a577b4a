import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Gathers calls that come within `windowMs`, or while the run before is under way, into one run over all of them: a thousand
 * sagas that take the same step cost one statement, and the slower the engines, the more go together. All of a run succeed
 * or fail together.
 */
export function gatherCalls<Item>(
  windowMs: number,
  run: (items: Item[]) => Promise<void>,
): (item: Item) => Promise<void> {
  let open: { items: Item[]; done: Promise<void> } | undefined
  let before: Promise<unknown> = Promise.resolve()
  return (item) => {
    if (!open) {
      const items: Item[] = []
      const done = Promise.all([sleep(windowMs), before]).then(() => {
        // Who comes from here on is in the next run.
        open = undefined
        return run(items)
      })
      before = done.catch(() => undefined)
      open = { items, done }
    }
    open.items.push(item)
    return open.done
  }
}
