/** True when node_modules is what the lock file of this project asks for. */
export function isInstalled(root: string): boolean
/** Installs what is missing, builds, then runs a script of the project and ends with its exit code. */
export function bootstrap(script: string | undefined, args: string[]): Promise<void>
