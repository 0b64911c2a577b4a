import { audited, cliActor } from '../gateway/officer-actions.ts'
import {
  type ApiToken,
  createApiToken,
  listApiTokens,
  type NewApiToken,
  revokeApiToken,
} from '../postgres/api-tokens.ts'
import { createAuditLog } from '../postgres/audit-log.ts'
import { EbbError } from '../runtime/errors.ts'
import { Role } from '../schemas/privacy-api.ts'
import type { DefineVerb } from './verb.ts'
import { withPostgres } from './with-postgres.ts'

interface CreateOptions {
  role: string
  app: string[]
  allApps?: true
  days: string
  json?: true
}

const MAX_DAYS = 3_650

/** `ebb token create|list|revoke`: who may call the gateway. */
export const define: DefineVerb = (token) => {
  const collect = (value: string, before: string[]) => [...before, value]
  token
    .command('create')
    .description('make a token and print it, which happens only this once')
    .argument('<name>', 'of the desk that holds it; stands in the audit log')
    .requiredOption('--role <role>', `one of ${Role.options.join(', ')}`)
    .option('--app <app>', 'an app that it may act for (repeatable)', collect, [])
    .option('--all-apps', 'for every app, also later ones')
    .option('--days <days>', 'valid for so long', '365')
    .option('--json', 'print JSON')
    .action(async (name: string, options: CreateOptions) => {
      const wish = readWish(name, options, Date.now())
      const made = await withPostgres((postgres) =>
        audited(
          createAuditLog(postgres),
          { actor: cliActor(), action: 'token create' },
          () => createApiToken(postgres, wish),
          (one) => one.tokenId,
        ),
      )
      process.stdout.write(
        options.json
          ? `${JSON.stringify({ ...made, ...wish })}\n`
          : `token id ${made.tokenId}\ntoken ${made.token}\nKeep it: it is stored as a hash only.\n`,
      )
    })
  token
    .command('list')
    .description('list tokens; they themselves cannot be shown again')
    .option('--json', 'print JSON')
    .action(async (options: { json?: true }) => {
      const tokens = await withPostgres((postgres) =>
        audited(createAuditLog(postgres), { actor: cliActor(), action: 'token list' }, () =>
          listApiTokens(postgres),
        ),
      )
      if (options.json) process.stdout.write(`${JSON.stringify(tokens)}\n`)
      else for (const one of tokens) process.stdout.write(`${describeToken(one, Date.now())}\n`)
    })
  token
    .command('revoke')
    .description('refuse a token from now on; gateways notice within seconds')
    .argument('<id>', 'as `ebb token list` shows it')
    .action(async (tokenId: string) => {
      const revoked = await withPostgres((postgres) =>
        audited(
          createAuditLog(postgres),
          { actor: cliActor(), action: 'token revoke' },
          () => revokeApiToken(postgres, tokenId),
          (one) => one.tokenId,
        ),
      )
      process.stdout.write(`revoked ${revoked.tokenId} (${revoked.name})\n`)
    })
}

/**
 * @param now milliseconds since 1970
 * @throws EbbError `bad_arguments`
 */
export function readWish(
  name: string,
  options: Pick<CreateOptions, 'role' | 'app' | 'allApps' | 'days'>,
  now: number,
): NewApiToken {
  const role = Role.safeParse(options.role)
  if (!role.success) throw new EbbError('bad_arguments', `--role must be one of ${Role.options.join(', ')}`)
  if (options.app.length > 0 === (options.allApps === true)) {
    throw new EbbError('bad_arguments', 'give --app for each app, or --all-apps')
  }
  const days = Number(options.days)
  if (!Number.isInteger(days) || days < 1 || days > MAX_DAYS) {
    throw new EbbError('bad_arguments', `--days must be 1 to ${MAX_DAYS}`)
  }
  const apps = options.allApps ? null : options.app
  return { name, role: role.data, apps, expiresAt: new Date(now + days * 86_400_000) }
}

/** One line: id, role, state, apps, name. */
export function describeToken(token: ApiToken, now: number): string {
  const { expiresAt, revokedAt } = token
  const state = revokedAt
    ? `revoked ${revokedAt.toISOString()}`
    : expiresAt && expiresAt.getTime() <= now
      ? `expired ${expiresAt.toISOString()}`
      : expiresAt
        ? `until ${expiresAt.toISOString()}`
        : 'no end'
  return [token.tokenId, token.role, state, token.apps?.join(',') ?? 'all apps', token.name].join('\t')
}
