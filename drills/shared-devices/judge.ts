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
  /** Those that the vault held when they were all answered and nothing was erased yet. */
  stored: Link[]
}

export interface Verdict {
  /** Those of whom nothing may be left. */
  gone: Set<Node>
  /** They, and those whom a link reached in the very moment of the block: erased as a whole, or not at all. */
  perhaps: Set<Node>
}

/**
 * Whom an erasure must take: those linked by what was answered before it was asked for, or is stored as a link of theirs. And whom
 * it may take: those linked by what was sent before the block, since the collector may have heard of the block first.
 */
export function judge({ graph, askedAt, blockedAt, during, stored }: Trial): Verdict {
  const sent = (isMeant: (one: SentLink) => boolean) => during.filter(isMeant).map(({ link }) => link)
  const inTime = [...graph.links, ...sent(({ answeredAt }) => answeredAt < askedAt)]
  const beforeBlock = [...inTime, ...sent(({ sentAt }) => sentAt <= blockedAt)]
  return {
    gone: reach([graph.start], [...inTime, ...stored]),
    perhaps: reach([graph.start], [...beforeBlock, ...stored]),
  }
}

/**
 * A link that is told only after the certificate: one end is erased, the other is nobody who was meant so far.
 * @returns undefined where a graph has no such pair
 */
export function findLateLink({ graph }: Trial, { gone, perhaps }: Verdict): Link | undefined {
  const others = graph.nodes.filter((node) => !perhaps.has(node))
  for (const other of others) {
    const end = [...gone].find(({ kind }) => kind === 'user' || other.kind === 'user')
    if (end) return other.kind === 'user' ? { from: end, to: other } : { from: other, to: end }
  }
  return undefined
}

/** The same verdict after a late link: its other end goes, too, and whoever is linked to that. */
export function judgeLate({ graph, during }: Trial, before: Verdict, { from, to }: Link): Verdict {
  const other = before.gone.has(from) ? to : from
  const links = [...graph.links, ...during.map(({ link }) => link)]
  const among = (out: Set<Node>) => links.filter((link) => !out.has(link.from) && !out.has(link.to))
  return {
    gone: new Set([...before.gone, ...reach([other], among(before.perhaps))]),
    // A link to somebody who was perhaps erased was perhaps refused.
    perhaps: new Set([...before.perhaps, ...reach([other], among(before.gone))]),
  }
}
