import { spawn } from 'node:child_process'
import { builtScript, PROJECT_ROOT } from '../runtime/project-root.ts'

/** Runs a drill as a person would. @returns its exit code and the line of JSON that it ends with */
export async function runDrill(
  name: string,
  ...args: string[]
): Promise<{ code: number | null; report: Record<string, unknown>; output: string }> {
  const child = spawn(process.execPath, [builtScript(`drills/${name}.ts`), ...args], { cwd: PROJECT_ROOT })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
    })
  }
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  const last = output.trim().split('\n').at(-1)!
  if (!last.startsWith('{')) throw new Error(`the drill ended with ${code}:\n${output.slice(-3_000)}`)
  return { code, report: JSON.parse(last) as Record<string, unknown>, output }
}
