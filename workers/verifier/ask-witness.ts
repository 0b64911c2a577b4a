import { CertificateError } from '../../certificates/certificate-error.ts'
import { verifyCosignature } from '../../certificates/checkpoint.ts'
import { formatAddCheckpoint } from '../../certificates/cosign.ts'
import type { MerkleTree } from '../../certificates/merkle-tree.ts'
import { type PublicKey, parsePublicKey } from '../../certificates/public-key.ts'
import { parseSignatureLine, parseSignedNote } from '../../certificates/signed-note.ts'
import type { Logger } from '../../runtime/logger.ts'

/** Longer than a witness next door needs; a witness that is away must not hold up certificates. */
const WAIT_MS = 2_000
/** A witness that did not answer is left alone for so long, so that an outage costs one wait and not one a batch. */
const REST_MS = 30_000

export interface WitnessClient {
  /** The signature line of this witness, or undefined where it gives none in time. Never throws. */
  cosign(checkpoint: string, tree: MerkleTree): Promise<string | undefined>
}

/**
 * One witness, C2SP tlog-witness over HTTP. Its key may stand behind the URL (`http://host:port#name+id+key`); without it
 * the key that the witness shows at the first answer is kept for the life of the process. A line that does not hold under
 * that key is left out.
 */
export function createWitnessClient(address: string, logger: Logger): WitnessClient {
  const [base, fragment] = address.split('#') as [string, string | undefined]
  const url = base.replace(/\/$/, '')
  let key = fragment === undefined ? undefined : parsePublicKey(decodeURIComponent(fragment))
  let known = 0
  let restsUntil = 0

  async function ask(checkpoint: string, tree: MerkleTree): Promise<string | undefined> {
    key ??= await readKey(url)
    const { size } = tree.head()
    for (let tries = 0; tries < 2; tries++) {
      const proof = tree.consistency(Math.min(known, size), size)
      const response = await fetch(`${url}/add-checkpoint`, {
        method: 'POST',
        body: formatAddCheckpoint({ oldSize: Math.min(known, size), proof, checkpoint }),
        signal: AbortSignal.timeout(WAIT_MS),
      })
      const body = await response.text()
      if (response.ok) {
        known = size
        return checkLine(key, checkpoint, body.trimEnd())
      }
      const stated = response.status === 409 ? Number(body) : Number.NaN
      if (!Number.isSafeInteger(stated)) throw new Error(`status ${response.status}`)
      // It has seen more of this log than there is: somebody rolled the log back, or signs elsewhere with its key.
      if (stated > size) {
        logger.error({ witness: url, witnessSize: stated, size }, 'a witness has seen a larger log')
        return undefined
      }
      known = stated
    }
    throw new Error('its size changes all the time')
  }

  return {
    async cosign(checkpoint, tree) {
      if (Date.now() < restsUntil) return undefined
      try {
        return await ask(checkpoint, tree)
      } catch (error) {
        restsUntil = Date.now() + REST_MS
        const reason = error instanceof CertificateError ? error.code : (error as Error).name
        logger.warn({ witness: url, reason }, 'no cosignature of this witness')
        return undefined
      }
    },
  }
}

async function readKey(url: string): Promise<PublicKey> {
  const response = await fetch(`${url}/`, { signal: AbortSignal.timeout(WAIT_MS) })
  return parsePublicKey((await response.text()).trim())
}

function checkLine(key: PublicKey, checkpoint: string, line: string): string {
  const { name, keyId, signature } = parseSignatureLine(line)
  const holds =
    name === key.name &&
    keyId === key.fingerprint.slice(0, 8) &&
    verifyCosignature(key, parseSignedNote(checkpoint).text, signature) !== undefined
  if (!holds) throw new CertificateError('witness-bad-signature', 'the cosignature does not hold')
  return line
}
