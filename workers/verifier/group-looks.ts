/**
 * One look at a time: whoever asks while it runs is answered by the next one, which begins after the question and is shared by
 * all who wait. For looks that read much and would not become faster side by side.
 * @param look answers in the order of its questions; an error is everyone's
 */
export function groupLooks<Question, Answer>(
  windowMs: number,
  look: (questions: Question[]) => Promise<Answer[]>,
): (question: Question) => Promise<Answer> {
  interface Waiting {
    question: Question
    resolve(answer: Answer): void
    reject(error: unknown): void
  }
  let waiting: Waiting[] = []
  let running = false

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
    await new Promise((resolve) => setTimeout(resolve, windowMs))
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      await answer(batch)
    }
    running = false
  }

  return (question) =>
    new Promise((resolve, reject) => {
      waiting.push({ question, resolve, reject })
      if (!running) void run()
    })
}
