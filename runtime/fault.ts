import { readFileSync, rmSync } from 'node:fs'

/**
 * Fault points for crash drills: `EBB_FAULT=<point>:<n>` kills this process with SIGKILL when it reaches the named
 * point for the n-th time, so that a drill can hit each durability boundary exactly instead of by luck.
 * `EBB_FAULT=<point>:<n>:stop` lets it stand still there (SIGSTOP), until somebody wakes it.
 * `EBB_FAULT=@<file>` takes the fault from a file and removes it: the process that starts next has it, and only that once.
 * A process that runs takes it at SIGUSR2, in the midst of what it is at; without the file it then has none.
 */
function readFault(text: string | undefined): Fault | undefined {
  const match = /^([A-Za-z0-9.-]+):([1-9]\d*)(:stop)?$/.exec(text ?? '')
  if (!match) return undefined
  return { point: match[1]!, countdown: Number(match[2]), signal: match[3] ? 'SIGSTOP' : 'SIGKILL' }
}

interface Fault {
  point: string
  countdown: number
  signal: 'SIGKILL' | 'SIGSTOP'
}

function takeFile(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim()
    rmSync(path)
    return text
  } catch {
    return undefined
  }
}

// Read here and not in config.ts: it must work in every process from its first line on, and is no setting of the product.
const setting = process.env.EBB_FAULT
const file = setting?.startsWith('@') ? setting.slice(1) : undefined
let fault = readFault(file === undefined ? setting : takeFile(file))
if (file !== undefined)
  process.on('SIGUSR2', () => {
    fault = readFault(takeFile(file))
  })

/** Marks a durability boundary. One comparison when `EBB_FAULT` is unset; a malformed value counts as unset. */
export function faultPoint(name: string): void {
  if (fault === undefined || fault.point !== name) return
  fault.countdown -= 1
  if (fault.countdown === 0) process.kill(process.pid, fault.signal)
}
