import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PrivacyOffice } from '../../cli/privacy-office.ts'
import { readRequest } from '../../postgres/privacy-requests.ts'
import { sendBatches } from '../erasure/send-people.ts'
import { callOf, drawLink, eventOf, type Graph, type Link } from './graphs.ts'
import type { SentLink, Trial } from './judge.ts'
import { indexByHandle } from './read-nodes.ts'

/** Posts calls as one batch and returns when they are acknowledged. @param at their moment, milliseconds since 1970; now without it */
export type Send = (calls: readonly object[], at?: number) => Promise<void>

const LINKS_DURING = 6
/** When these are sent, seen from the moment in which the erasure is asked for, milliseconds: also when it is long blocked. */
const SPREAD = { from: -400, to: 4_000 }

export function createSend(collectorUrl: string, writeKey: string): Send {
  return async (calls, at) => {
    const made = { ...(at !== undefined && { timestamp: new Date(at).toISOString() }) }
    const batch = calls.map((call) => ({ messageId: randomUUID(), ...made, ...call }))
    await sendBatches(collectorUrl, writeKey, [{ batch }])
  }
}

/** Asks for the erasure of one node, and sends links and events of its graph around that moment. */
export async function eraseWhileLinking(
  office: PrivacyOffice,
  send: Send,
  { app, graph, random }: { app: string; graph: Graph; random: () => number },
): Promise<Trial> {
  const askAt = Date.now() - SPREAD.from
  const during = Array.from({ length: LINKS_DURING }, async (): Promise<SentLink> => {
    const link = drawLink(graph.nodes, random)
    await sleep(askAt + SPREAD.from + random() * (SPREAD.to - SPREAD.from) - Date.now())
    const sentAt = Date.now()
    await send([eventOf(link.to), callOf(link)])
    return { link, sentAt, answeredAt: Date.now() }
  })
  await sleep(askAt - Date.now())
  const askedAt = Date.now()
  const { kind, id } = graph.start
  const identifier = { label: kind === 'user' ? ('userId' as const) : ('anonymousId' as const), value: id }
  const wish = { app, identifiers: [identifier], proof: 'account-session' as const }
  const { requestId } = await office.actions.submit(wish, 'cli:drill')
  const trial = {
    graph,
    askedAt,
    during: await Promise.all(during),
    blockedAt: await blocked(office, requestId),
  }
  const links = await readLinks(office, app, graph)
  const { state } = await readRequest(office.postgres, requestId)
  // Once it erases, links that are missing are no longer those that were refused.
  return { ...trial, stored: state === 'blocked' ? links : [] }
}

/** Waits for the block. @returns its moment, milliseconds since 1970 */
async function blocked(office: PrivacyOffice, requestId: string): Promise<number> {
  for (;;) {
    const { blockedAt } = await readRequest(office.postgres, requestId)
    if (blockedAt) return blockedAt.getTime()
    await sleep(200)
  }
}

/** The links among a graph's nodes that the vault holds. */
async function readLinks(office: PrivacyOffice, app: string, { nodes }: Graph): Promise<Link[]> {
  const byHandle = indexByHandle(await office.keyring.appLookupKey(app), nodes)
  const rows = await office.postgres.query<{ from: string; to: string }>(
    'drill_links',
    `SELECT encode(f.handle, 'hex') AS "from", encode(t.handle, 'hex') AS "to" FROM subject_links
     JOIN subjects f ON f.subject_id = from_subject JOIN subjects t ON t.subject_id = to_subject
     WHERE asserted AND f.handle = ANY($1::bytea[]) AND t.handle = ANY($1::bytea[])`,
    [[...byHandle.keys()].map((hex) => Buffer.from(hex, 'hex'))],
  )
  return rows.map(({ from, to }) => ({ from: byHandle.get(from)!, to: byHandle.get(to)! }))
}
