import { isLeftOut } from '../runtime/left-out-purge.ts'
import { askRows } from './await-parts-gone.ts'
import type { ClickHouseClient } from './client.ts'

/**
 * The server keeps the text of its last hundred mutations a table on the disk (`mutation_N.txt`), with whatever value somebody wrote
 * into an `ALTER … DELETE` or `UPDATE` by hand. Ebb's own name a batch and no value; all others are forgotten once they are done.
 * KILL takes the record away and changes no row: what is done has no part left to change.
 */
export async function forgetForeignMutations(
  client: ClickHouseClient,
  tables: readonly string[],
): Promise<void> {
  if (isLeftOut('mutation-texts')) return
  const foreign = `database = currentDatabase() AND table IN (${tables.map((table) => `'${table}'`).join(', ')})
    AND is_done AND position(command, 'erase_tokens') = 0`
  const [found] = await askRows<{ n: number }>(
    client,
    `SELECT count() AS n FROM system.mutations WHERE ${foreign}`,
  )
  if (Number(found?.n) > 0) await client.command({ query: `KILL MUTATION WHERE ${foreign} SYNC` })
}
