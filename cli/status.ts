import type { Command } from 'commander'
import { readPlatformConfig } from '../services/platform-config.ts'
import { type Probe, probePlatform } from '../services/probe-platform.ts'

/** `ebb status`: what runs, how it is, and how far ingest is behind. Exit code 1 when something is not well. */
export function define(command: Command): void {
  command.option('--json', 'one JSON document instead of a table').action(status)
}

async function status(options: { json?: boolean }): Promise<void> {
  const { config, platform } = await readPlatformConfig()
  const probes = await probePlatform(config, platform)
  if (options.json) {
    console.log(JSON.stringify({ running: platform !== null, home: config.home, parts: probes }))
  } else {
    console.log(
      platform ? `Ebb is up since ${new Date(platform.startedAt).toISOString()}` : notRunning(config.home),
    )
    console.log(formatTable(probes))
  }
  if (!platform || probes.some((probe) => probe.health !== 'ok')) process.exitCode = 1
}

function notRunning(home: string): string {
  return `no \`ebb up\` runs in ${home}; engines as the environment names them:`
}

/** Columns as wide as their widest cell. */
export function formatTable(probes: Probe[]): string {
  const header = ['part', 'kind', 'health', 'pid', 'memory', 'lag', 'at']
  const rows = probes.map((probe) => [
    probe.name,
    probe.kind,
    probe.health,
    probe.pid === null ? '-' : String(probe.pid),
    probe.residentBytes === undefined ? '-' : `${Math.round(probe.residentBytes / 1_048_576)} MiB`,
    probe.lagRecords === undefined ? '-' : `${probe.lagRecords} records`,
    probe.at,
  ])
  const widths = header.map((_, column) =>
    Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)),
  )
  return [header, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
