import type { Command } from 'commander'
import { migrateAll } from '../services/migrate-all.ts'
import { readPlatformConfig } from '../services/platform-config.ts'

/** `ebb migrate`: databases, tables, views and topics of the running platform, or of the engines given by URL. */
export function define(command: Command): void {
  command.action(async () => {
    const { config } = await readPlatformConfig()
    await migrateAll(config, (line) => console.log(line))
  })
}
