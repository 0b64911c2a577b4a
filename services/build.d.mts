/** Every script that is run as a process of its own, by its path from the project's root. */
export const SCRIPTS: string[]
/**
 * Brings `<root>/dist` up to date with the sources of this project, or of another folder and its scripts.
 * @throws Error with one line for people
 */
export function build(root?: string, scripts?: string[]): void
