import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DeleteAliasCommand,
  DescribeKeyCommand,
  EncryptCommand,
  type KeyMetadata,
  KMSClient,
  ListAliasesCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms'
import { EbbError } from '../runtime/errors.ts'
import type { KeyProvider, ListedKey } from './key-provider.ts'

export interface KmsOptions {
  region: string
  /** Empty: AWS's own. */
  endpoint: string
  /** Put before every alias, so that installations share an account. */
  aliasPrefix: string
  /** Default: where AWS's SDK finds them. */
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined
}

/** The shortest that KMS allows. Until it is over an administrator can call the key back, so it is a horizon of erasure. */
export const PENDING_DAYS = 7

const DAY_MS = 86_400_000

/**
 * Wrapping keys in AWS KMS, one for each name, found by its alias. Destroying schedules the key's deletion: KMS refuses
 * all use of it at once, and destroys it at the end of the waiting period. The key's alias moves below `destroyed/`,
 * so that it can be listed until it is gone.
 */
export function createKmsKeyProvider(options: KmsOptions): KeyProvider {
  const { region, endpoint, credentials } = options
  const kms = new KMSClient({ region, ...(endpoint && { endpoint }), ...(credentials && { credentials }) })
  const alive = `alias/${options.aliasPrefix}`
  const destroyed = `alias/${options.aliasPrefix}destroyed/`
  const describe = (alias: string) => describeKey(kms, alias)
  /** Ends of waiting periods by alias; they do not change. */
  const ends = new Map<string, number>()
  return {
    async createKey(name) {
      if (await describe(alive + name)) return
      await named(name, async () => {
        const { KeyMetadata } = await kms.send(
          new CreateKeyCommand({ Description: `Ebb wrapping key ${name}` }),
        )
        const keyId = KeyMetadata!.KeyId!
        if (await addAlias(kms, alive + name, keyId)) return
        // Another process has made one under this name meanwhile: ours has wrapped nothing.
        await kms.send(new ScheduleKeyDeletionCommand({ KeyId: keyId, PendingWindowInDays: PENDING_DAYS }))
      })
    },
    wrap: (name, key, context) =>
      named(name, async () => {
        const answer = await kms.send(
          new EncryptCommand({ KeyId: alive + name, Plaintext: key, EncryptionContext: { ebb: context } }),
        )
        return Buffer.from(answer.CiphertextBlob!)
      }),
    unwrap: (name, wrapped, context) =>
      named(name, async () => {
        const answer = await kms.send(
          new DecryptCommand({
            KeyId: alive + name,
            CiphertextBlob: wrapped,
            EncryptionContext: { ebb: context },
          }),
        )
        return Buffer.from(answer.Plaintext!)
      }),
    async destroyKey(name) {
      const key = await describe(alive + name)
      if (!key) return { goneByMs: deletionOf(await describe(destroyed + name)) ?? Date.now() }
      return await named(name, async () => {
        if (deletionOf(key) === null) {
          await kms.send(
            new ScheduleKeyDeletionCommand({ KeyId: key.KeyId!, PendingWindowInDays: PENDING_DAYS }),
          )
        }
        await addAlias(kms, destroyed + name, key.KeyId!)
        await kms.send(new DeleteAliasCommand({ AliasName: alive + name }))
        return { goneByMs: deletionOf(key) ?? Date.now() + PENDING_DAYS * DAY_MS }
      })
    },
    async listKeys() {
      const listed: ListedKey[] = []
      for (const alias of await named('of aliases', () => listAliases(kms, alive))) {
        if (!alias.startsWith(destroyed)) listed.push({ name: alias.slice(alive.length), goneByMs: null })
        else {
          const goneByMs = ends.get(alias) ?? deletionOf(await describe(alias))
          if (goneByMs === null) continue
          ends.set(alias, goneByMs)
          listed.push({ name: alias.slice(destroyed.length), goneByMs })
        }
      }
      return listed
    },
  }
}

/** When the key's waiting period ends; null when it is not to be deleted. */
function deletionOf(key: KeyMetadata | undefined): number | null {
  if (key?.KeyState !== 'PendingDeletion') return null
  return key.DeletionDate?.getTime() ?? Date.now() + PENDING_DAYS * DAY_MS
}

function describeKey(kms: KMSClient, alias: string): Promise<KeyMetadata | undefined> {
  return named(
    alias,
    async () => (await kms.send(new DescribeKeyCommand({ KeyId: alias }))).KeyMetadata,
  ).catch((error) => {
    if ((error as EbbError).code === 'key_missing') return undefined
    throw error
  })
}

/** @returns false when the alias is taken. */
async function addAlias(kms: KMSClient, alias: string, keyId: string): Promise<boolean> {
  try {
    await kms.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: keyId }))
    return true
  } catch (error) {
    if ((error as Error).name === 'AlreadyExistsException') return false
    throw error
  }
}

async function listAliases(kms: KMSClient, prefix: string): Promise<string[]> {
  const found: string[] = []
  let marker: string | undefined
  do {
    const page = await kms.send(new ListAliasesCommand({ Limit: 100, Marker: marker }))
    for (const { AliasName } of page.Aliases ?? []) if (AliasName?.startsWith(prefix)) found.push(AliasName)
    marker = page.Truncated ? page.NextMarker : undefined
  } while (marker !== undefined)
  return found
}

const MISSING = new Set(['NotFoundException', 'KMSInvalidStateException', 'DisabledException'])
const REFUSED = new Set(['InvalidCiphertextException', 'IncorrectKeyException'])

async function named<T>(name: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof EbbError) throw error
    const kind = (error as Error).name
    if (MISSING.has(kind)) throw new EbbError('key_missing', `KMS has no usable key ${name}`)
    if (REFUSED.has(kind)) throw new EbbError('key_unwrap_failed', `KMS does not unwrap under ${name}`)
    throw new EbbError('key_provider_unavailable', `KMS answered ${kind} for key ${name}`)
  }
}
