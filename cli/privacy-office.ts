import { createErasureClient, type ErasureClient } from '../gateway/erasure-client.ts'
import { audited, cliActor, createOfficerActions, type OfficerActions } from '../gateway/officer-actions.ts'
import { type AuditLog, createAuditLog } from '../postgres/audit-log.ts'
import { createPostgres, type TransactingPostgres } from '../postgres/client.ts'
import { type Keyring, openKeyring } from '../postgres/keyring.ts'
import { openKeyProvider } from '../postgres/open-key-provider.ts'
import type { Config } from '../runtime/config.ts'

/** What the command line needs to act for an officer: the same actions as the gateway's, each in the audit log. */
export interface PrivacyOffice {
  config: Config
  postgres: TransactingPostgres
  keyring: Keyring
  erasures: ErasureClient
  actions: OfficerActions
  /** Runs an action as the operating system's user and writes down how it ended, before its result is shown. */
  audited<Result>(
    action: string,
    object: string,
    act: () => Promise<Result>,
    objectOf?: (result: Result) => string,
  ): Promise<Result>
}

/** @throws EbbError as the engines' clients, when one is away */
export async function withPrivacyOffice<Result>(
  config: Config,
  work: (office: PrivacyOffice) => Promise<Result>,
): Promise<Result> {
  const postgres = createPostgres(config.postgres.url, { connections: 2 })
  const keyrings = createPostgres(config.postgres.keyringUrl, { connections: 1 })
  const erasures = createErasureClient(config)
  const audit: AuditLog = createAuditLog(postgres)
  try {
    const keyring = await openKeyring(keyrings, await openKeyProvider(config))
    const actions = createOfficerActions({
      postgres,
      keyring,
      erasures,
      privacy: config.privacy,
      now: Date.now,
    })
    return await work({
      config,
      postgres,
      keyring,
      erasures,
      actions,
      audited: (action, object, act, objectOf) =>
        audited(audit, { actor: cliActor(), action, object }, act, objectOf),
    })
  } finally {
    await Promise.all([erasures.close(), postgres.close(), keyrings.close()])
  }
}
