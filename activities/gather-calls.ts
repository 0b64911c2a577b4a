import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Gathers calls that come within `windowMs`, or while the run before is under way, into one run over all of them: a thousand
 * sagas that take the same step cost one statement, and the slower the engines, the more go together. All of a run succeed
 * or fail together.
 * @param restMs from the end of a run to the beginning of the next, at least: calls that come one after the other go together, too,
 * and one that comes after a while does not wait for it
 */
export function gatherCalls<Item>(
  windowMs: number,
  run: (items: Item[]) => Promise<void>,
  restMs = 0,
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
      before = done.catch(() => undefined).then(() => sleep(restMs))
      open = { items, done }
    }
    open.items.push(item)
    return open.done
  }
}
