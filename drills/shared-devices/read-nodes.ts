import type { PrivacyOffice } from '../../cli/privacy-office.ts'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { deriveSubjectKeys } from '../../gate/subject-keys.ts'
import type { Postgres } from '../../postgres/client.ts'
import { handleOf } from '../erasure/subject-bytes.ts'
import type { Node } from './graphs.ts'
import type { Held } from './judge.ts'

/** What stood for a node before the erasures. */
export interface NodeIds {
  subjectId: string
  /** Upper-case hexadecimal. */
  token: string
}

const hexHandle = (lookupKey: Buffer, node: Node, kind: 'user' | 'anonymous') =>
  handleOf(lookupKey, kind, node.id).toString('hex')
const kindOf = ({ kind }: Node) => (kind === 'user' ? 'user' : 'anonymous')

/** Nodes by their handles in hexadecimal. */
export const indexByHandle = (lookupKey: Buffer, nodes: readonly Node[]): Map<string, Node> =>
  new Map(nodes.map((node) => [hexHandle(lookupKey, node, kindOf(node)), node]))

/** Users by the handle that an alias gives to a former id as well, since it might have been a device's. */
const indexByOtherHandle = (lookupKey: Buffer, nodes: readonly Node[]): Map<string, Node> =>
  new Map(
    nodes
      .filter(({ kind }) => kind === 'user')
      .map((node) => [hexHandle(lookupKey, node, 'anonymous'), node]),
  )

/** Subject ids by handle in hexadecimal. */
async function readSubjects(postgres: Postgres): Promise<Map<string, string>> {
  const rows = await postgres.query<{ handle: string; subject_id: string }>(
    'drill_subject_ids',
    `SELECT encode(handle, 'hex') AS handle, subject_id FROM subjects`,
    [],
  )
  return new Map(rows.map((row) => [row.handle, row.subject_id]))
}

/** @throws Error for a node that has no subject: nothing was stored of it */
export async function readNodeIds(
  { postgres, keyring }: PrivacyOffice,
  app: string,
  nodes: readonly Node[],
): Promise<Map<Node, NodeIds>> {
  const lookupKey = await keyring.appLookupKey(app)
  const subjectIds = await readSubjects(postgres)
  const secrets = await keyring.readSecrets([...subjectIds.values()])
  return new Map(
    nodes.map((node) => {
      const subjectId = subjectIds.get(hexHandle(lookupKey, node, kindOf(node)))
      const secret = subjectId && secrets.get(subjectId)
      if (!secret) throw new Error(`nothing is known of ${node.mark}`)
      return [node, { subjectId, token: deriveSubjectKeys(secret).token.toString('hex').toUpperCase() }]
    }),
  )
}

/** Reads what ClickHouse, the vault and the keyring hold of each node. */
export async function readHeld(
  { postgres, keyring }: PrivacyOffice,
  clickhouse: ClickHouseClient,
  app: string,
  ids: ReadonlyMap<Node, NodeIds>,
): Promise<Map<Node, Held>> {
  const ask = async <Row>(query: string) => {
    const result = await clickhouse.query({ query, query_params: { app }, format: 'JSONCompactEachRow' })
    return await result.json<Row>()
  }
  // Where a row came from in Kafka is no part of it.
  const rows = new Map(
    await ask<[string, string[]]>(
      `SELECT hex(subject), groupArray(toString(cityHash64(* EXCEPT (partition, cut_end, cut)))) FROM events_raw
       WHERE app = {app:String} GROUP BY subject`,
    ),
  )
  const marked = new Map(
    await ask<[string, string]>(
      `SELECT product, count() FROM events_raw WHERE app = {app:String} AND product != '' GROUP BY product`,
    ),
  )
  const traces = new Map<Node, number>()
  const count = (node: Node | undefined) => {
    if (node) traces.set(node, (traces.get(node) ?? 0) + 1)
  }
  const lookupKey = await keyring.appLookupKey(app)
  const byHandle = indexByHandle(lookupKey, [...ids.keys()])
  const byOtherHandle = indexByOtherHandle(lookupKey, [...ids.keys()])
  const bySubject = new Map([...ids].map(([node, { subjectId }]) => [subjectId, node]))
  const ends = await postgres.query<{ subject_id: string }>(
    'drill_link_ends',
    'SELECT from_subject AS subject_id FROM subject_links UNION ALL SELECT to_subject FROM subject_links',
    [],
  )
  for (const { subject_id } of ends) count(bySubject.get(subject_id))
  for (const handle of (await readSubjects(postgres)).keys()) {
    count(byHandle.get(handle))
    count(byOtherHandle.get(handle))
  }
  for (const subjectId of (await keyring.readSecrets([...bySubject.keys()])).keys())
    count(bySubject.get(subjectId))
  return new Map(
    [...ids].map(([node, { token }]) => [
      node,
      {
        rows: rows.get(token) ?? [],
        marked: Number(marked.get(node.mark) ?? 0),
        traces: traces.get(node) ?? 0,
      },
    ]),
  )
}
