/** A person's user id, or the anonymous id of a device: what links join. */
export interface Node {
  kind: 'user' | 'device'
  id: string
  /** Product of its events, by which they are found again under whatever token. */
  mark: string
}

/** Says that two ids are one person's: a login on a device (`identify`), or a former id (`alias`). */
export interface Link {
  from: Node
  /** A user. */
  to: Node
}

/** People and devices that may be linked among themselves; one of them will be erased. */
export interface Graph {
  nodes: Node[]
  /** Asserted before the erasure. */
  links: Link[]
  /** Seen together only: a user on somebody's device, who never logged in there. Nobody is erased for that. */
  seenTogether: Link[]
  /** Whose erasure is asked for. */
  start: Node
  /** Asserted around the moment in which it is asked for, seen from there; milliseconds. */
  during: { link: Link; afterMs: number }[]
  /** Gets one more link when all is done, of before the erasure. */
  isToldLate: boolean
}

const LINKS_DURING = 6
/** Half of them come in the saga's first steps, the others when the block is in force for long. */
const SPREADS = [
  { from: -400, to: 600 },
  { from: 600, to: 3_000 },
]
/** One graph in so many is told a late link. */
const LATE_EVERY = 4

/** @param random numbers in [0, 1) */
export function drawGraph(number: number, random: () => number): Graph {
  const below = (limit: number) => Math.floor(random() * limit)
  const make = (kind: Node['kind'], count: number) =>
    Array.from({ length: count }, (_, i) => ({
      kind,
      id: `${kind}-of-graph-${number}-${i}`,
      mark: `g${number}${kind[0]}${i}`,
    }))
  const nodes = [...make('user', 3 + below(4)), ...make('device', 2 + below(5))]
  const drawLinks = (count: number) => Array.from({ length: count }, () => drawLink(nodes, below))
  return {
    nodes,
    links: drawLinks(below(nodes.length / 2)),
    seenTogether: drawLinks(2).filter(({ from }) => from.kind === 'device'),
    start: nodes[below(nodes.length)]!,
    during: drawLinks(LINKS_DURING).map((link, at) => {
      const { from, to } = SPREADS[at % SPREADS.length]!
      return { link, afterMs: from + random() * (to - from) }
    }),
    isToldLate: number % LATE_EVERY === 0,
  }
}

function drawLink(nodes: readonly Node[], below: (limit: number) => number): Link {
  const pick = <T>(some: readonly T[]) => some[below(some.length)]!
  const to = pick(nodes.filter(({ kind }) => kind === 'user'))
  return { from: pick(nodes.filter((node) => node !== to)), to }
}

/** Whom links lead to from some nodes, by repeated passes: another way than Ebb's own. */
export function reach(starts: Iterable<Node>, links: readonly Link[]): Set<Node> {
  const reached = new Set(starts)
  for (let size = -1; size !== reached.size; ) {
    size = reached.size
    for (const { from, to } of links) {
      if (reached.has(from)) reached.add(to)
      if (reached.has(to)) reached.add(from)
    }
  }
  return reached
}

const idsOf = ({ kind, id }: Node) => (kind === 'user' ? { userId: id } : { anonymousId: id })

/** An event of a node's own. */
export const eventOf = (node: Node) => ({
  type: 'track',
  event: 'add_to_cart',
  ...idsOf(node),
  properties: { product_id: node.mark },
})

/** The call that asserts a link; an event of the user's. */
export const callOf = ({ from, to }: Link) =>
  from.kind === 'device'
    ? { type: 'identify', userId: to.id, anonymousId: from.id }
    : { type: 'alias', userId: to.id, previousId: from.id }

/** An event of a user on a device; it links nothing. */
export const visitOf = ({ from, to }: Link) => ({ ...eventOf(to), anonymousId: from.id })
