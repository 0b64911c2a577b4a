import { EbbError } from '../runtime/errors.ts'
import type { S3 } from '../s3/client.ts'
import { objectReceipt } from '../s3/erase-evidence.ts'
import { exportPrefix, exportPrefixOf } from '../s3/exports.ts'
import { listVersions } from '../s3/list-versions.ts'
import { listUnfinishedUploads } from '../s3/multipart-uploads.ts'
import { purgeKeys } from '../s3/purge.ts'
import type { StoreEraser } from './store-eraser.ts'

/**
 * Purges the files that were made for the people of a batch. A file whose name does not tell whose it is stops the erasure:
 * somebody put it there by hand, and nobody can say that it holds none of them.
 * Cost: listings of the bucket, not one a person; exports live for days.
 */
export function createExportsEraser(deps: { s3: S3; now(): number }): StoreEraser {
  return {
    store: 's3/exports',
    async erase({ targets }) {
      const { s3 } = deps
      const wanted = new Set(targets.flatMap((target) => target.tokens.map(exportPrefix)))
      const keys = [
        ...(await listVersions(s3, 'exports', '')),
        ...(await listUnfinishedUploads(s3, 'exports', '')),
      ].map((one) => one.key)
      const strays = keys.filter((key) => exportPrefixOf(key) === undefined)
      if (strays.length > 0) {
        throw new EbbError(
          'exports_unattributed',
          `${strays.length} objects of exports are nobody's by their name`,
        )
      }
      const { versions, uploads } = await purgeKeys(s3, 'exports', (key) =>
        wanted.has(exportPrefixOf(key) ?? ''),
      )
      // Version ids alone: a key holds a hash of the token.
      const ids = versions.map((one) => one.versionId)
      const method = ids.length + uploads > 0 ? 'deleted' : 'nothing-held'
      return objectReceipt('s3/exports', method, { ids, looked: keys.length }, deps.now())
    },
  }
}
