import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PrivacyOffice } from '../../cli/privacy-office.ts'
import { type PrivacyRequest, readRequest } from '../../postgres/privacy-requests.ts'
import { sendBatches } from '../erasure/send-people.ts'
import { callOf, eventOf, type Graph, type Link } from './graphs.ts'
import type { SentLink, Trial } from './judge.ts'
import { indexByHandle } from './read-nodes.ts'

/** Posts calls as one batch and returns when they are acknowledged. @param at their moment, milliseconds since 1970; now without it */
export type Send = (calls: readonly object[], at?: number) => Promise<void>

const BLOCK_LIMIT_MS = 120_000

export function createSend(collectorUrl: string, writeKey: string): Send {
  return async (calls, at) => {
    const made = { ...(at !== undefined && { timestamp: new Date(at).toISOString() }) }
    const batch = calls.map((call) => ({ messageId: randomUUID(), ...made, ...call }))
    await sendBatches(collectorUrl, writeKey, [{ batch }])
  }
}

/** Asks for the erasure of a graph's start, and sends links around that moment. */
export async function eraseWhileLinking(
  office: PrivacyOffice,
  send: Send,
  app: string,
  graph: Graph,
): Promise<Trial> {
  const firstMs = Math.min(0, ...graph.during.map(({ afterMs }) => afterMs))
  const askAt = Date.now() - firstMs
  const sending = Promise.all(
    graph.during.map(async ({ link, afterMs }): Promise<SentLink> => {
      await sleep(askAt + afterMs - Date.now())
      const sentAt = Date.now()
      await send([eventOf(link.to), callOf(link)])
      return { link, sentAt, answeredAt: Date.now() }
    }),
  )
  // Whatever fails first is told; this one is looked at below.
  sending.catch(() => undefined)
  await sleep(askAt - Date.now())
  const askedAt = Date.now()
  const { kind, id } = graph.start
  const identifier = { label: kind === 'user' ? ('userId' as const) : ('anonymousId' as const), value: id }
  const wish = { app, identifiers: [identifier], proof: 'account-session' as const }
  const { requestId } = await office.actions.submit(wish, 'cli:drill')
  const during = await sending
  const { blockedAt } = await untilBlocked(office, requestId)
  const links = await readLinks(office, app, graph)
  const { state } = await readRequest(office.postgres, requestId)
  // Once it erases, links that are missing are no longer those that were refused.
  const stored = state === 'blocked' ? links : undefined
  return { graph, askedAt, blockedAt: blockedAt!.getTime(), during, stored }
}

async function untilBlocked(office: PrivacyOffice, requestId: string): Promise<PrivacyRequest> {
  for (const giveUpAt = Date.now() + BLOCK_LIMIT_MS; ; await sleep(200)) {
    const request = await readRequest(office.postgres, requestId)
    if (request.blockedAt) return request
    if (Date.now() > giveUpAt) throw new Error('a request is not blocked for minutes')
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
