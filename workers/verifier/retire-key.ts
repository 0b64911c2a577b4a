import { formatPublicKey } from '../../certificates/public-key.ts'
import type { Signer } from '../../certificates/signer.ts'
import { EbbError } from '../../runtime/errors.ts'
import type { LogWriter } from './log-writer.ts'
import type { LoggedStatement } from './logged-statements.ts'
import {
  addCertificateKey,
  dropCertificateKey,
  openSigningKeys,
  readRetired,
  writeKeyFile,
} from './signing-keys.ts'
import { type Issuer, statement } from './statements.ts'

export interface RetiredKeyReport {
  /** Fingerprint. */
  retired: string
  logIndex: number
  /** C2SP verifier key of its successor. */
  successor: string
}

/**
 * Puts a new certificate key in the place of the one in use, and logs the old one's retirement, signed by both. A repeat
 * after a crash goes on where it was: the old key's secret goes only when its leaf is in the log.
 */
export async function retireKey(
  deps: Issuer & { folder: string; writer: LogWriter },
  reason: 'rotation' | 'compromise',
): Promise<RetiredKeyReport> {
  const { folder, origin, writer } = deps
  // Two keys mean that somebody began and died: the older one is still to be retired.
  if ((await openSigningKeys(folder, origin)).certificates.length === 1) await addCertificateKey(folder)
  const keys = await openSigningKeys(folder, origin)
  const old = keys.certificates[0]!
  const logged = await appendRetirement(deps, writer, old, reason)
  const retired = [...(await readRetired(folder)), { line: formatPublicKey(old.key), index: logged.logIndex }]
  const left = { ...keys, certificates: keys.certificates.slice(1) }
  await writeKeyFile(folder, left, retired)
  await dropCertificateKey(folder, old)
  return {
    retired: old.key.fingerprint,
    logIndex: logged.logIndex,
    successor: formatPublicKey(left.certificates.at(-1)!.key),
  }
}

async function appendRetirement(
  issuer: Issuer,
  writer: LogWriter,
  old: Signer,
  reason: 'rotation' | 'compromise',
): Promise<LoggedStatement> {
  const [answer] = await writer.append([
    {
      requestId: null,
      decide: (_, __, retiredAt) =>
        retiredAt(old.key.fingerprint) ?? {
          ...statement(issuer, []),
          kind: 'key-retirement',
          retires: old.key.fingerprint,
          reason,
        },
    },
  ])
  if (answer && 'logged' in answer) return answer.logged
  throw answer?.error ?? new EbbError('log_forked', 'the retirement was not logged')
}
