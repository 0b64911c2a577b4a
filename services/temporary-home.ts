import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A fresh home in the temporary folder, or in another, for whoever removes it in the end. As root the user `postgres` must be able
 * to pass it: else Postgres's data would lie elsewhere (postgres-place.ts) and stay.
 */
export async function createTemporaryHome(prefix: string, parent = tmpdir()): Promise<string> {
  const home = await mkdtemp(join(parent, prefix))
  await chmod(home, 0o711)
  return home
}
