import { createApp, listApps } from '../postgres/apps.ts'
import type { DefineVerb } from './verb.ts'
import { withPostgres } from './with-postgres.ts'

/** `ebb app create|list`: who may send events. */
export const define: DefineVerb = (app) => {
  app
    .command('create')
    .description('register an app and print its write key, which is shown only this once')
    .argument('<name>', '1 to 63 of a-z, 0-9, _ and -, beginning with a letter')
    .option('--max-age-days <days>', 'refuse events older than this (1 to 400, default 30)', Number)
    .option('--ip <choice>', 'client IP: drop (default) or truncate (keeps /24 or /48)')
    .option('--json', 'print JSON')
    .action(async (name: string, options: { maxAgeDays?: number; ip?: string; json?: boolean }) => {
      const made = await withPostgres((postgres) =>
        createApp(postgres, {
          app: name,
          // Checked by createApp, which knows the bounds.
          rules: {
            ...(options.maxAgeDays !== undefined && { maxAgeDays: options.maxAgeDays }),
            ...(options.ip !== undefined && { ip: options.ip as 'drop' | 'truncate' }),
          },
        }),
      )
      process.stdout.write(
        options.json
          ? `${JSON.stringify(made)}\n`
          : `app ${made.app}\nwrite key ${made.writeKey}\nKeep it: it is stored as a hash only.\n`,
      )
    })
  app
    .command('list')
    .description('list apps and their choices')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const apps = await withPostgres(listApps)
      if (options.json) process.stdout.write(`${JSON.stringify(apps)}\n`)
      else for (const one of apps) process.stdout.write(`${one.app}\t${JSON.stringify(one.rules)}\n`)
    })
}
