/** Who asks alone waits no longer for company; several that begin together come within it. */
const WINDOW_MS = 20

/**
 * One look at a time: whoever asks while it runs is answered by a later one, which begins after the question and is shared by
 * all who wait. For looks that read much and would not become faster side by side.
 * @param restMs from the end of a look to the beginning of the next, at least: a thousand requests that come one after the other
 * share looks, too, and who asks after a while is answered at once
 * @param look answers in the order of its questions; an error is everyone's
 * @param most questions of one look
 */
export function groupLooks<Question, Answer>(
  restMs: number,
  look: (questions: Question[]) => Promise<Answer[]>,
  most = Number.POSITIVE_INFINITY,
): (question: Question) => Promise<Answer> {
  interface Waiting {
    question: Question
    resolve(answer: Answer): void
    reject(error: unknown): void
  }
  let waiting: Waiting[] = []
  let running = false
  let restedAt = 0

  async function answer(batch: Waiting[]): Promise<void> {
    try {
      const answers = await look(batch.map(({ question }) => question))
      for (const [at, one] of batch.entries()) one.resolve(answers[at]!)
    } catch (error) {
      for (const one of batch) one.reject(error)
    }
  }

  async function run(): Promise<void> {
    running = true
    while (waiting.length > 0) {
      const waitMs = Math.max(WINDOW_MS, restedAt - performance.now())
      await new Promise((resolve) => setTimeout(resolve, waitMs))
      const batch = waiting.slice(0, most)
      waiting = waiting.slice(most)
      await answer(batch)
      restedAt = performance.now() + restMs
    }
    running = false
  }

  return (question) =>
    new Promise((resolve, reject) => {
      waiting.push({ question, resolve, reject })
      if (!running) void run()
    })
}
