import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLiftBlock, createWithdrawBlock } from '../activities/lift-block.ts'
import { type BlockDeps, publishBlock } from '../activities/publish-block.ts'
import { createRevocationPublisher } from '../kafka/revocations.ts'
import { createSubjectStatePublisher } from '../kafka/subject-states.ts'
import { createPostgres, type TransactingPostgres } from '../postgres/client.ts'
import { type Keyring, openKeyring } from '../postgres/keyring.ts'
import { openKeyProvider } from '../postgres/open-key-provider.ts'
import { readSealed, submitErasure } from '../postgres/privacy-requests.ts'
import { createLogger } from '../runtime/logger.ts'
import type { PersonIdentifier, SealedErasure } from '../schemas/erasure.ts'
import type { Stage } from './stage.ts'

const silent = createLogger('test', 'silent')

/** The parts of an erasure that the edge has to do with, without its saga. */
export interface EdgeErasure {
  postgres: TransactingPostgres
  keyring: Keyring
  deps: BlockDeps
  /** @returns the request's id, its block published; collectors need a moment to hear of it. */
  block(app: string, identifiers: PersonIdentifier[]): Promise<string>
  sealed(requestId: string): Promise<SealedErasure>
  /** Rows and secrets go, as the erasers would see to it. */
  destroy(requestId: string): Promise<void>
  lift(requestId: string): Promise<void>
  withdraw(requestId: string): Promise<void>
  /** Long enough for a running collector to have heard. */
  settle(): Promise<void>
  close(): Promise<void>
}

export async function createEdgeErasure(stage: Stage): Promise<EdgeErasure> {
  const { config } = stage
  const postgres = createPostgres(config.postgres.url)
  const keyringPostgres = createPostgres(config.postgres.keyringUrl)
  const keyring = await openKeyring(keyringPostgres, await openKeyProvider(config))
  const states = await createSubjectStatePublisher(config, silent)
  const revocations = await createRevocationPublisher(config, silent)
  const deps = { postgres, keyring, states, revocations }
  const privacy = { graceMs: 0, dueMs: 60_000 }
  const lift = createLiftBlock({ ...deps, suppressMs: config.privacy.suppressMs })
  return {
    postgres,
    keyring,
    deps,
    async block(app, identifiers) {
      const wish = { app, identifiers, proof: 'document-seen' as const }
      const { requestId } = await submitErasure({ ...deps, privacy, now: Date.now }, wish, 'test')
      await publishBlock(deps, requestId)
      return requestId
    },
    sealed: (requestId) => readSealed(deps, requestId),
    async destroy(requestId) {
      const { subjects } = await readSealed(deps, requestId)
      const ids = subjects.map((subject) => subject.subjectId)
      const name = randomUUID()
      await postgres.query(
        `links ${name}`,
        'DELETE FROM subject_links WHERE from_subject = ANY($1::uuid[]) OR to_subject = ANY($1::uuid[])',
        [ids],
      )
      await postgres.query(`subjects ${name}`, 'DELETE FROM subjects WHERE subject_id = ANY($1::uuid[])', [
        ids,
      ])
      await keyring.dropSecrets(ids)
    },
    lift: (requestId) => lift({ requestId }),
    withdraw: createWithdrawBlock(deps),
    settle: () => sleep(1_000),
    async close() {
      await Promise.all([states.close(), revocations.close(), postgres.close(), keyringPostgres.close()])
    },
  }
}
