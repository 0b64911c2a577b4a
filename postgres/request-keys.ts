import type { EbbError } from '../runtime/errors.ts'
import type { Keyring } from './keyring.ts'

// A request's key (and a legal hold's) is a secret of the keyring whose subject id is the request's id. So it dies as a
// person's secret does: destroySecrets(deps, [requestId]).

/** The request's key, 32 bytes: made, durable, or the one made before. Ask only while the request is not closed. */
export async function createRequestKey(keyring: Keyring, requestId: string): Promise<Buffer> {
  const stored = await readRequestKey(keyring, requestId)
  if (stored) return stored
  try {
    const [made] = await keyring.createSecrets([requestId])
    return made!.secret
  } catch (error) {
    // The primary key refuses a second one: another attempt was faster.
    const raced =
      (error as EbbError).code === 'postgres_refused' && (await readRequestKey(keyring, requestId))
    if (raced) return raced
    throw error
  }
}

/** null: it is destroyed, and all that it sealed is unreadable. */
export async function readRequestKey(keyring: Keyring, requestId: string): Promise<Buffer | null> {
  return (await keyring.readSecrets([requestId])).get(requestId) ?? null
}
