import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { EbbError } from '../runtime/errors.ts'
import type { EngineContext } from './engine.ts'
import { findOnPath, runCommand } from './run-command.ts'
import { cacheHome, ensureTool } from './tool-cache.ts'

export interface GoTool {
  /** The binary's name, on PATH and in the cache. */
  name: string
  version: string
  /** Package path of its main, for `go install`. */
  module: string
  /** Folder of a go.mod that says what it is built from, where its own release must not decide alone. */
  pinnedBy?: string
  /** How long the first build takes, in words. */
  takes: string
  /** Who needs it, and the key that gives a running one instead: for the error. */
  neededFor: string
  environmentKey: string
}

/**
 * The path of a tool written in Go: the binary on PATH, else the user's cache, else built there once.
 * @throws EbbError `missing_tool` without Go, `command_failed` when the build fails.
 */
export async function findGoTool(tool: GoTool, context: EngineContext): Promise<string> {
  const onPath = await findOnPath(tool.name, context.environment)
  if (onPath) return onPath
  const folder = await ensureTool(`${tool.name}-${tool.version}`, {
    cache: cacheHome(context.environment),
    report: (line) => context.report(`${tool.name} ${tool.version}: ${line}`),
    fetch: (unfinished) => build(tool, context, unfinished),
  })
  return join(folder, tool.name)
}

async function build(tool: GoTool, context: EngineContext, folder: string): Promise<void> {
  const go = await findOnPath('go', context.environment)
  if (!go)
    throw new EbbError(
      'missing_tool',
      `${tool.neededFor} needs \`${tool.name}\`, which is not on PATH, nor is Go to build it. Install Go 1.25 or newer ` +
        `(Debian: apt-get install golang-go; macOS: brew install go; or https://go.dev/dl), or put \`${tool.name}\` ` +
        `on PATH, or set ${tool.environmentKey} to one that runs.`,
    )
  const task = `building ${tool.name} ${tool.version} with Go (once, ${tool.takes})`
  context.report(task)
  const bin = join(folder, 'bin')
  const flags = ['-trimpath', '-ldflags=-s -w']
  const install = tool.pinnedBy
    ? ['-C', tool.pinnedBy, 'install', '-mod=readonly', ...flags, tool.module]
    : ['install', ...flags, `${tool.module}@v${tool.version}`]
  await runCommand(go, install, {
    environment: { ...context.environment, GOBIN: bin, GOFLAGS: '', CGO_ENABLED: '0' },
    task,
    report: context.report,
    signal: context.signal,
  })
  await rename(join(bin, tool.name), join(folder, tool.name))
}
