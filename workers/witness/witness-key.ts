import { generateKeyPairSync } from 'node:crypto'
import { mkdir, open, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatPublicKey } from '../../certificates/public-key.ts'
import { createSigner, privateKeyFromSeed, type Signer } from '../../certificates/signer.ts'
import { EbbError } from '../../runtime/errors.ts'

/**
 * The witness's own key, `witness.key` (0600) in its folder, made at the first start; `witness.pub` beside it is what
 * verifiers get. @throws EbbError `signing_keys_exposed`, `signing_keys_unreadable`
 */
export async function openWitnessKey(folder: string, name: string): Promise<Signer> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, 'witness.key')
  await makeIfMissing(path)
  if (((await stat(path)).mode & 0o077) !== 0) {
    throw new EbbError('signing_keys_exposed', `${path} can be read by others`)
  }
  const seed = (await readFile(path, 'utf8')).trim()
  if (!/^[0-9a-f]{64}$/.test(seed)) throw new EbbError('signing_keys_unreadable', `${path} holds no key`)
  const signer = createSigner('witness', name, privateKeyFromSeed(Buffer.from(seed, 'hex')))
  await writeFile(join(folder, 'witness.pub'), `${formatPublicKey(signer.key)}\n`)
  return signer
}

async function makeIfMissing(path: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519')
  const seed = Buffer.from(String(privateKey.export({ format: 'jwk' }).d), 'base64url')
  try {
    const file = await open(path, 'wx', 0o600)
    await file.writeFile(`${seed.toString('hex')}\n`)
    await file.sync()
    await file.close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
