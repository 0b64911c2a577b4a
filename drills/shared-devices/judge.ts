import { type Graph, type Link, type Node, reach } from './graphs.ts'

/** A link that was sent while an erasure began; moments in milliseconds since 1970. */
export interface SentLink {
  link: Link
  sentAt: number
  answeredAt: number
}

/** One graph and what happened to it. */
export interface Trial {
  graph: Graph
  askedAt: number
  /** When the vault took no more links of the person. */
  blockedAt: number
  during: SentLink[]
  /** Those that the vault held when all were answered and nothing was erased yet; undefined where the saga was quicker than that. */
  stored: Link[] | undefined
}

export interface Verdict {
  /** Those of whom nothing may be left. */
  mustGo: Set<Node>
  /** They, and those whom a link reached in the very moment of the block: erased as a whole, or not at all. */
  mayGo: Set<Node>
  /** Links to somebody who was blocked already, and which the vault took all the same: a fault. */
  takenTooLate: Link[]
}

const isSame = (one: Link) => (other: Link) => one.from === other.from && one.to === other.to

/**
 * Whom an erasure must take: those linked by what was answered before it was asked for, or by what was sent before the block and
 * taken. And whom it may take: those linked by anything sent before the block, since a collector may have heard of it first.
 */
export function judge({ graph, askedAt, blockedAt, during, stored }: Trial): Verdict {
  const sent = (isMeant: (one: SentLink) => boolean) => during.filter(isMeant).map(({ link }) => link)
  const inTime = [...graph.links, ...sent(({ answeredAt }) => answeredAt < askedAt)]
  if (!stored) {
    const mayGo = reach([graph.start], [...inTime, ...sent(() => true)])
    return { mustGo: reach([graph.start], inTime), mayGo, takenTooLate: [] }
  }
  const beforeBlock = [...inTime, ...sent(({ sentAt }) => sentAt <= blockedAt)]
  const isOfBefore = (link: Link) => beforeBlock.some(isSame(link))
  const mustGo = reach([graph.start], [...inTime, ...stored.filter(isOfBefore)])
  return {
    mustGo,
    // Two of whom nobody was blocked may be linked after the block.
    mayGo: reach([graph.start], [...beforeBlock, ...stored]),
    takenTooLate: stored.filter(
      (link) => !isOfBefore(link) && (mustGo.has(link.from) || mustGo.has(link.to)),
    ),
  }
}

/**
 * A link that is told only after the certificate: one end is erased, the other is nobody who was meant so far.
 * @returns undefined where a graph has no such pair
 */
export function findLateLink({ graph }: Trial, { mustGo, mayGo }: Verdict): Link | undefined {
  const others = graph.nodes.filter((node) => !mayGo.has(node))
  for (const other of others) {
    const end = [...mustGo].find(({ kind }) => kind === 'user' || other.kind === 'user')
    if (end) return other.kind === 'user' ? { from: end, to: other } : { from: other, to: end }
  }
  return undefined
}

/** The same verdict after a late link: its other end goes, too, and whoever is linked to that. */
export function judgeLate({ graph, during }: Trial, before: Verdict, { from, to }: Link): Verdict {
  const other = before.mustGo.has(from) ? to : from
  const links = [...graph.links, ...during.map(({ link }) => link)]
  const among = (out: Set<Node>) => links.filter((link) => !out.has(link.from) && !out.has(link.to))
  return {
    ...before,
    mustGo: new Set([...before.mustGo, ...reach([other], among(before.mayGo))]),
    // A link to somebody who was perhaps erased was perhaps refused.
    mayGo: new Set([...before.mayGo, ...reach([other], among(before.mustGo))]),
  }
}

/** How many a link during the erasure brought in, and how many such links were refused: else the drill has not tried what it is for. */
export function countTried(trial: Trial, { mustGo }: Verdict): { taken: number; refused: number } {
  const before = reach([trial.graph.start], trial.graph.links)
  const refused = trial.during.filter(
    ({ link, sentAt }) =>
      sentAt > trial.blockedAt &&
      (mustGo.has(link.from) || mustGo.has(link.to)) &&
      trial.stored?.some(isSame(link)) === false,
  )
  return { taken: mustGo.size - before.size, refused: refused.length }
}

/** What the stores hold of a node. */
export interface Held {
  /** Hashes of the rows under the token that it had before the erasure. */
  rows: readonly string[]
  /** Rows that bear its mark, under whatever token. */
  marked: number
  /** Rows of its handle, its other handle and its subject id in the vault and the keyring. */
  traces: number
}

/**
 * Holds one node to its verdict.
 * @param sent events of it that were acknowledged
 * @returns what is wrong, if anything is: something is left of who must go, or is not as it was of somebody else
 */
export function findFault(
  node: Node,
  { mustGo, mayGo }: Verdict,
  { before, after, sent }: { before: Held; after: Held; sent: number },
): 'left' | 'changed' | undefined {
  const isGone = after.rows.length + after.marked + after.traces === 0
  if (mustGo.has(node)) return isGone ? undefined : 'left'
  if (mayGo.has(node) && isGone) return undefined
  const kept = new Set(after.rows)
  const isWhole = after.rows.length === sent && before.rows.every((row) => kept.has(row)) && after.traces > 0
  return isWhole ? undefined : 'changed'
}

/** Events of a node that were acknowledged: so many of its own before, and what others' links made it send. */
export function countSent({ graph, during }: Trial, node: Node, eventsBefore: number): number {
  const ofNode = (links: readonly Link[]) => links.filter(({ to }) => to === node).length
  const calls = ofNode(graph.links) + ofNode(during.map(({ link }) => link))
  // A link during the erasure comes with an event of its user.
  return eventsBefore + ofNode(graph.seenTogether) + calls + ofNode(during.map(({ link }) => link))
}
