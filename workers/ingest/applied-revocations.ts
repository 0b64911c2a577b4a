import { EbbError } from '../../runtime/errors.ts'
import { orOver, pause } from './wait.ts'

export type RevocationsErrorCode = 'revocations_lost'

export interface AppliedRevocations {
  /** All below `offset` are applied. */
  advance(offset: number): void
  /** See Revocations. */
  readTo(rev: number, signal: AbortSignal): Promise<void>
  readToHead(signal: AbortSignal): Promise<number>
}

/** A broker that has just become the leader may know a shorter log for a moment: an end that shrank is looked at again. */
const SECOND_LOOK_MS = 3_000

/** How far the revocations are applied. @param fetchHead the next offset of the topic, as Kafka says it now */
export function createAppliedRevocations(
  fetchHead: () => Promise<number>,
  secondLookMs = SECOND_LOOK_MS,
): AppliedRevocations {
  let applied = 0
  let waiting: { until: number; resolve(): void }[] = []
  const readTo = async (rev: number, signal: AbortSignal) => {
    if (rev <= applied) return
    let waiter: (typeof waiting)[number] | undefined
    const arrived = new Promise<void>((resolve) => {
      waiter = { until: rev, resolve }
      waiting.push(waiter)
    })
    await orOver(arrived, signal).finally(() => {
      waiting = waiting.filter((one) => one !== waiter)
    })
  }
  const ask = joinCalls(async () => {
    const before = applied
    const head = await fetchHead()
    return { head, shrank: head < before }
  })
  return {
    advance(offset) {
      applied = Math.max(applied, offset)
      for (const waiter of waiting) if (waiter.until <= applied) waiter.resolve()
    },
    readTo,
    async readToHead(signal) {
      let { head, shrank } = await orOver(ask(), signal)
      if (shrank) {
        await pause(secondLookMs, signal)
        ;({ head, shrank } = await orOver(ask(), signal))
        // Its offsets would be taken for those of the old one, and what they revoke for not yet revoked.
        if (shrank)
          throw new EbbError('revocations_lost', 'the topic of revocations ends before what was read of it')
      }
      await readTo(head, signal)
      return head
    },
  }
}

/** Callers that come while a question is under way need an answer that was asked after they came: they share the next. */
function joinCalls<T>(question: () => Promise<T>): () => Promise<T> {
  let asking: Promise<T> | undefined
  let next: Promise<T> | undefined
  const ask = (): Promise<T> => {
    asking = question().finally(() => {
      asking = undefined
    })
    return asking
  }
  return () => {
    if (!asking) return ask()
    next ??= asking
      .catch(() => undefined)
      .then(() => {
        next = undefined
        return ask()
      })
    return next
  }
}
