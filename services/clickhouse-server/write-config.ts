import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Writes the engine's configuration next to its data. @returns the path of the main file. */
export function writeConfig(dataPath: string): string {
  const folder = join(dataPath, 'ebb-config')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, 'config.xml')
  writeFileSync(file, CONFIG, { mode: 0o600 })
  return file
}

const CONFIG = `<clickhouse>
  <logger><level>none</level></logger>
  <merge_tree>
    <old_parts_lifetime>1</old_parts_lifetime>
    <cleanup_delay_period>1</cleanup_delay_period>
    <cleanup_delay_period_random_add>0</cleanup_delay_period_random_add>
    <max_cleanup_delay_period>1</max_cleanup_delay_period>
  </merge_tree>
</clickhouse>
`
