const FRAME = /^\s+at .*:\d+:\d+\)?$/

/**
 * What of an error may be logged: names, codes and places in the code. Messages are left out, since libraries quote what
 * they choked on, and that may be a person's data.
 */
export function describeSafely(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error }
  const { code } = error as { code?: unknown }
  const frames = error.stack?.split('\n').filter((line) => FRAME.test(line))
  return {
    name: error.name,
    ...(typeof code === 'string' && { code }),
    ...(frames && { at: frames.slice(0, 5).map((line) => line.trim()) }),
    ...(error.cause !== undefined && { cause: describeSafely(error.cause) }),
  }
}
