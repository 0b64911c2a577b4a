import type { PrivacyOffice } from '../../cli/privacy-office.ts'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { handleOf } from '../erasure/subject-bytes.ts'
import type { Node } from './graphs.ts'
import type { Verdict } from './judge.ts'

/** What the stores hold of each node. */
export interface Held {
  /** Hashes of its rows, by its mark. */
  rows: Map<string, string[]>
  /** Nodes that have a subject in the vault. */
  known: Set<Node>
}

export async function readHeld(
  office: PrivacyOffice,
  clickhouse: ClickHouseClient,
  app: string,
  nodes: readonly Node[],
): Promise<Held> {
  // Where a row came from in Kafka is no part of it.
  const result = await clickhouse.query({
    query: `SELECT product, groupArray(toString(cityHash64(* EXCEPT (partition, cut_end, cut)))) FROM events_raw
      WHERE app = {app:String} AND product != '' GROUP BY product`,
    query_params: { app },
    format: 'JSONCompactEachRow',
  })
  const byHandle = indexByHandle(await office.keyring.appLookupKey(app), nodes)
  const subjects = await office.postgres.query<{ handle: string }>(
    'drill_known',
    `SELECT encode(handle, 'hex') AS handle FROM subjects`,
    [],
  )
  return {
    rows: new Map(await result.json<[string, string[]]>()),
    known: new Set(subjects.flatMap(({ handle }) => byHandle.get(handle) ?? [])),
  }
}

/** Nodes by their handles in hexadecimal. */
export function indexByHandle(lookupKey: Buffer, nodes: readonly Node[]): Map<string, Node> {
  return new Map(
    nodes.map((node) => {
      const kind = node.kind === 'user' ? 'user' : 'anonymous'
      return [handleOf(lookupKey, kind, node.id).toString('hex'), node]
    }),
  )
}

/**
 * Holds one node to its verdict.
 * @param sent events of it that were acknowledged
 * @returns what is wrong, if anything is: something is left of somebody erased, or is not as it was of somebody else
 */
export function findFault(
  node: Node,
  { gone, perhaps }: Verdict,
  { before, after, sent }: { before: Held; after: Held; sent: number },
): 'left' | 'changed' | undefined {
  const [was, is] = [before.rows.get(node.mark) ?? [], after.rows.get(node.mark) ?? []]
  const isKnown = after.known.has(node)
  if (gone.has(node)) return is.length > 0 || isKnown ? 'left' : undefined
  if (perhaps.has(node) && is.length === 0 && !isKnown) return undefined
  return isKnown && is.length === sent && was.every((row) => is.includes(row)) ? undefined : 'changed'
}
