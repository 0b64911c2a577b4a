/** Bytes of requests under way, in all of the process. */
export interface ByteBudget {
  /** Takes bytes and says whether they still fit; they are taken either way, and given back by `give`. */
  take(bytes: number): boolean
  give(bytes: number): void
  /** Is there no room for another request? */
  full(): boolean
  used(): number
}

/**
 * Back-pressure: what is in memory between a client's bytes and the broker's ack stays below a limit, and who comes
 * beyond it is told to come again.
 * @param elsewhere bytes that wait in other places, as in the producer.
 */
export function createByteBudget(limitBytes: number, elsewhere: () => number): ByteBudget {
  let held = 0
  const used = () => held + elsewhere()
  return {
    take(bytes) {
      held += bytes
      return used() <= limitBytes
    },
    give(bytes) {
      held -= bytes
    },
    full: () => used() >= limitBytes,
    used,
  }
}
