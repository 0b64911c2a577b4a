/** A number that an option says, 1 or more: a drill of none would find nothing wrong. @throws Error that names the option */
export function readCount(option: string, text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new Error(`--${option} is a number, 1 or more`)
  return count
}
