/** Says lines for people, each with the seconds since this was called. */
export function createSay(): (line: string) => void {
  const startedAt = Date.now()
  return (line) => {
    const seconds = ((Date.now() - startedAt) / 1_000).toFixed(0)
    process.stdout.write(`${seconds.padStart(5)} s  ${line}\n`)
  }
}
