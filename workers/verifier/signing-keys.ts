import { generateKeyPairSync } from 'node:crypto'
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyUse } from '../../certificates/public-key.ts'
import { formatPublicKey } from '../../certificates/public-key.ts'
import { createSigner, privateKeyFromSeed, type Signer } from '../../certificates/signer.ts'
import { EbbError } from '../../runtime/errors.ts'

export type SigningKeysErrorCode = 'signing_keys_exposed' | 'signing_keys_unreadable'

/** The verifier's keys: nobody else has them. */
export interface SigningKeys {
  log: Signer
  /** The newest one signs; older ones are there until their retirement is logged. */
  certificates: Signer[]
}

const KEY_FILE = 'keys.pub'
const CERTIFICATE_KEY = /^certificate-(\d{1,6})\.key$/

/**
 * Reads the keys of a folder, making what is missing: `log.key` and `certificate-1.key`, seeds in hex, mode 0600 in a folder
 * of mode 0700. @throws EbbError `signing_keys_exposed` when others may read them, `signing_keys_unreadable`
 */
export async function openSigningKeys(folder: string, origin: string): Promise<SigningKeys> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await requirePrivate(folder)
  await makeIfMissing(folder, 'log.key')
  if ((await certificateKeyNumbers(folder)).length === 0) await makeIfMissing(folder, keyFile(1))
  const numbers = await certificateKeyNumbers(folder)
  return {
    log: await readSigner(folder, 'log.key', 'log', origin),
    certificates: await Promise.all(
      numbers.map((number) =>
        readSigner(folder, keyFile(number), 'certificate', `${origin}/verifier-${number}`),
      ),
    ),
  }
}

/** Adds a certificate key, which signs from now on. */
export async function addCertificateKey(folder: string): Promise<void> {
  const newest = (await certificateKeyNumbers(folder)).at(-1) ?? 0
  await makeIfMissing(folder, keyFile(newest + 1))
}

/** Removes the secret half of a certificate key; called when its retirement is in the log. */
export async function dropCertificateKey(folder: string, key: Signer): Promise<void> {
  const number = /-(\d+)$/.exec(key.key.name)?.[1]
  if (number) await rm(join(folder, keyFile(Number(number))), { force: true })
}

export interface RetiredKey {
  /** C2SP verifier key. */
  line: string
  /** Index of the leaf that retired it. */
  index: number
}

/** The file that `ebb verify --key` takes. */
export function formatKeyFile(keys: SigningKeys, retired: readonly RetiredKey[]): string {
  const known = new Set(retired.map(({ line }) => line))
  const current = keys.certificates.map(({ key }) => formatPublicKey(key)).filter((line) => !known.has(line))
  return [
    '# Public keys of this log and of its certificates, for `ebb verify --key`.',
    formatPublicKey(keys.log.key),
    ...retired.map(({ line, index }) => `${line} retired ${index}`),
    ...current,
    '',
  ].join('\n')
}

/** What `keys.pub` says of retired keys; their secret halves are gone. */
export async function readRetired(folder: string): Promise<RetiredKey[]> {
  const text = await readFile(join(folder, KEY_FILE), 'utf8').catch(() => '')
  return text.split('\n').flatMap((line) => {
    const match = /^(\S+) retired (\d+)$/.exec(line)
    return match ? { line: match[1]!, index: Number(match[2]) } : []
  })
}

/** Writes `keys.pub`, for verifiers and witnesses: readable by everyone who may enter the folder. */
export async function writeKeyFile(
  folder: string,
  keys: SigningKeys,
  retired: readonly RetiredKey[],
): Promise<void> {
  await writeDurably(folder, KEY_FILE, formatKeyFile(keys, retired), 0o644)
}

/** Writes a file so that a crash leaves the old one or the new one, whole and on disk. */
export async function writeDurably(folder: string, name: string, text: string, mode = 0o600): Promise<void> {
  const temporary = join(folder, `${name}.${process.pid}.tmp`)
  const file = await open(temporary, 'w', mode)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, join(folder, name))
  await syncFolder(folder)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function keyFile(number: number): string {
  return `certificate-${number}.key`
}

async function certificateKeyNumbers(folder: string): Promise<number[]> {
  return (await readdir(folder))
    .flatMap((name) => CERTIFICATE_KEY.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
}

async function makeIfMissing(folder: string, name: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519')
  const seed = Buffer.from(String(privateKey.export({ format: 'jwk' }).d), 'base64url')
  try {
    const file = await open(join(folder, name), 'wx', 0o600)
    await file.writeFile(`${seed.toString('hex')}\n`)
    await file.sync()
    await file.close()
    await syncFolder(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

async function readSigner(folder: string, name: string, use: KeyUse, keyName: string): Promise<Signer> {
  const path = join(folder, name)
  await requirePrivate(path)
  const seed = (await readFile(path, 'utf8')).trim()
  if (!/^[0-9a-f]{64}$/.test(seed)) throw new EbbError('signing_keys_unreadable', `${path} holds no key`)
  return createSigner(use, keyName, privateKeyFromSeed(Buffer.from(seed, 'hex')))
}

async function requirePrivate(path: string): Promise<void> {
  const { mode, uid } = await stat(path)
  if ((mode & 0o077) === 0) return
  // An empty folder that somebody made beforehand is tightened; a file that others could read has been read.
  if (uid === process.getuid?.() && (await stat(path)).isDirectory()) return await chmod(path, 0o700)
  throw new EbbError('signing_keys_exposed', `${path} can be read by others`)
}
