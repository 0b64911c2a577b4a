import { type FileHit, findTokenFiles, rewriteFile, withTokens } from '../clickhouse/archive-files.ts'
import { withAdvisoryLock } from '../postgres/advisory-lock.ts'
import { EbbError } from '../runtime/errors.ts'
import { faultPoint } from '../runtime/fault.ts'
import { objectReceipt } from '../s3/erase-evidence.ts'
import { purgeObject, purgeOldVersions } from '../s3/purge.ts'
import { archiveBucket, archiveKey } from '../schemas/archive.ts'
import type { StoreReceipt } from '../schemas/erasure.ts'
import { ARCHIVE_LOCK, type ArchiveDeps } from './archive-day.ts'
import type { StoreEraser } from './store-eraser.ts'

/**
 * Takes the people of a batch out of the archive: each file that holds any of them is written anew once for all, then its
 * older versions are purged. A crash in between leaves a current file without them and old versions with them: the repeat
 * finds no file to rewrite and purges all old versions, wherever they are.
 *
 * Cost: one column of every file in the people's buckets is read, each file with a hit is written once, and one listing of the
 * archive; it grows with the days kept, at most 64 files a day.
 */
export function createArchiveEraser(deps: ArchiveEraserDeps): StoreEraser {
  return {
    store: 's3/archive',
    erase: ({ targets }) =>
      withAdvisoryLock(deps.postgresUrl, ARCHIVE_LOCK, async (requireHeld) => {
        const receipt = await eraseTokens(deps, distinct(targets.flatMap((target) => target.tokens)))
        await requireHeld()
        return receipt
      }),
  }
}

type ArchiveEraserDeps = Omit<ArchiveDeps, 'postgres'> & {
  /** Milliseconds since 1970. */
  now(): number
}

async function eraseTokens(deps: ArchiveEraserDeps, tokens: Buffer[]): Promise<StoreReceipt> {
  const rewritten =
    tokens.length === 0
      ? []
      : await withTokens(deps.clickhouse, tokens, () => rewriteFiles(deps, globOf(tokens), tokens.length))
  const { versions, uploads } = await purgeOldVersions(deps.s3, 'archive', '')
  const ids = versions.map((one) => `${one.key}@${one.versionId}`)
  const method = rewritten.length > 0 || ids.length > 0 ? 'rewritten' : 'nothing-held'
  return objectReceipt('s3/archive', method, { ids, rewritten, uploads }, deps.now())
}

async function rewriteFiles(
  { clickhouse, s3, collection }: ArchiveEraserDeps,
  glob: string,
  tokens: number,
): Promise<FileHit[]> {
  const files = await findTokenFiles(clickhouse, collection, glob, tokens)
  for (const file of files) {
    // A file of nobody else is not written empty: it goes.
    if (file.hits === file.rows) await purgeObject(s3, 'archive', file.key)
    else await rewriteFile(clickhouse, collection, file.key, tokens)
    faultPoint('archive.rewritten')
  }
  const left = await findTokenFiles(clickhouse, collection, glob, tokens)
  if (left.length > 0) {
    throw new EbbError('rows_remain', `${left.length} files of the archive hold rows still`)
  }
  return files
}

/** All days, the buckets of these tokens. */
function globOf(tokens: Buffer[]): string {
  const buckets = [...new Set(tokens.map(archiveBucket))].sort()
  return archiveKey('*', buckets.length === 1 ? buckets[0]! : `{${buckets.join(',')}}`)
}

function distinct(tokens: Buffer[]): Buffer[] {
  return [...new Map(tokens.map((token) => [token.toString('hex'), token])).values()]
}
