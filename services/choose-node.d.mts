export interface NodeAtHand {
  environment: Record<string, string | undefined>
  /** `20.15.0` */
  version: string
  execPath: string
  platform: string
  arch: string
  isGlibc(): boolean
  say(line: string): void
  /** Runs `npm ci` in a folder. @returns its exit code */
  npmCi(folder: string): Promise<number>
}
/** Path of the Node that our scripts run on. @throws Interrupted */
export function chooseNode(at: NodeAtHand): Promise<string>
/** What chooseNode wants to know of this process and machine. */
export function thisNode(say: NodeAtHand['say'], npmCi: NodeAtHand['npmCi']): NodeAtHand
/** Somebody ended npm while it fetched: nothing goes on. */
export class Interrupted extends Error {
  readonly exitCode: number
}
