import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseCanonicalJson } from '../certificates/canonical-json.ts'
import { describeCertificate } from '../certificates/describe-certificate.ts'
import { parseCertificate } from '../certificates/read-certificate.ts'
import { renderHtml, renderMarkdown } from '../certificates/render-certificate.ts'
import { parseTlogProof } from '../certificates/tlog-proof.ts'
import { readSealedMany } from '../postgres/privacy-requests.ts'
import {
  listCertificates,
  readCertificateFile,
  type StoredCertificate,
} from '../postgres/read-certificates.ts'
import { EbbError } from '../runtime/errors.ts'
import { createS3 } from '../s3/client.ts'
import { readEntries } from '../workers/verifier/log-files.ts'
import type { PrivacyOffice } from './privacy-office.ts'

export interface WrittenCertificate {
  folder: string
  kind: string
  digest: string
  logIndex: number
  /** `ebb verify …`, as it can be run without network, database or server. */
  verifyCommand: string
}

/** Kinds that answer a request, as against the leaf that it was received. */
const ANSWERS: ReadonlySet<string> = new Set(['certificate', 'partial', 'closed', 'refusal'])

/**
 * Writes the newest certificate of a request that holds: the signed file, its proof, the log's entries behind it, a page for
 * the person as Markdown and HTML, the public keys, and the salt while there is one (it is the requester's).
 * @throws EbbError `certificate_unknown` when none is issued yet, `keys_unreadable`
 */
export async function writeCertificate(
  office: PrivacyOffice,
  requestId: string,
  folder: string,
): Promise<WrittenCertificate> {
  const chosen = newest(await listCertificates(office.postgres, requestId))
  const stored = chosen && (await readCertificateFile(office.postgres, requestId, chosen.digest))
  if (!chosen || !stored) throw new EbbError('certificate_unknown', 'no certificate is issued yet')
  const { digest, kind, logIndex } = chosen
  const page = describeCertificate(parseCertificate(parseCanonicalJson(stored.file)), digest)
  const [leaves, keys] = await Promise.all([readLeaves(office, stored.proof), readKeys(office)])
  const salt = (await readSealedMany(office, [requestId])).get(requestId)?.salt
  await mkdir(folder, { recursive: true })
  const write = (name: string, text: string | Buffer, mode = 0o644) =>
    writeFile(join(folder, name), text, { mode })
  await write('certificate.json', stored.file)
  await write('certificate.tlog-proof', stored.proof)
  await write('certificate.md', renderMarkdown(page))
  await write('certificate.html', renderHtml(page))
  await write('certificate.leaves', leaves)
  await write('keys.pub', keys)
  // Whoever has it can tell whose certificate it is.
  if (salt) await write('salt.txt', `${salt}\n`, 0o600)
  const place = (name: string) => join(folder, name)
  return {
    folder,
    kind,
    digest,
    logIndex,
    verifyCommand: `ebb verify ${place('certificate.json')} --key ${place('keys.pub')} --leaves ${place('certificate.leaves')}`,
  }
}

function newest(listed: StoredCertificate[]): StoredCertificate | undefined {
  return listed.findLast(({ kind, superseded }) => !superseded && ANSWERS.has(kind))
}

/** The log's entries behind the certificate, up to the size that its proof speaks of: none of them may withdraw it. */
async function readLeaves({ config }: PrivacyOffice, proof: string): Promise<string> {
  const { index, checkpoint } = parseTlogProof(Buffer.from(proof))
  const size = Number(checkpoint.split('\n')[1])
  const s3 = createS3(config)
  try {
    const entries = await readEntries(s3, size, index + 1)
    return entries.map((entry) => `${entry.toString()}\n`).join('')
  } finally {
    s3.close()
  }
}

/** The verifier's public keys, by which anyone trusts its certificates. @throws EbbError `keys_unreadable` */
async function readKeys({ config }: PrivacyOffice): Promise<Buffer> {
  const path = join(config.verifier.folder, 'keys.pub')
  try {
    return await readFile(path)
  } catch (cause) {
    throw new EbbError('keys_unreadable', `the public keys of the verifier are not at ${path}`, { cause })
  }
}
