import { DROP_CODES, type DropCode } from '../schemas/reject-code.ts'

/** An event that passed, minimised, not yet tokenised: it still holds joinable ids, so it must not leave the process. */
export interface DraftEvent {
  /** Event name of the registry. */
  event: string
  /** Corrected and clamped, milliseconds since 1970. */
  ts: number
  /** Joinable ids as sent; '' where absent. */
  session: string
  device: string
  messageId: string
  orderId: string
  path: string
  element: string
  product: string
  /** 1/10,000 of the currency's unit, an integer within ±9e15. */
  revenue: number
  currency: string
  /** JSON object text, '{}' where empty. */
  props: string
  /** Declared properties of type `id` without a column of their own: hashed by tokenise. */
  ids: { name: string; value: string }[] | undefined
  /** A text has escapes, percent signs or characters beyond ASCII, so that an id could hide in it. */
  unusual: boolean
  /** Personal traits for the vault, by name. */
  vault: Record<string, string> | undefined
}

/** What is under construction while one event is read; one object serves a whole batch. */
export interface Work {
  draft: DraftEvent
  /** Members of `props` so far, each with a comma behind it. */
  json: string
  /** Name of the declared property that made the event fail, '' where none did. */
  property: string
  /** Drops of this event by `DROP_INDEX`; they count once the event is accepted. */
  drops: Int32Array
}

const DROP_LIST = Object.keys(DROP_CODES) as DropCode[]
const DROP_INDEX = Object.fromEntries(DROP_LIST.map((code, index) => [code, index])) as Record<
  DropCode,
  number
>

export function createWork(): Work {
  return {
    draft: createDraft(),
    json: '',
    property: '',

    drops: new Int32Array(DROP_LIST.length),
  }
}

export function createDraft(): DraftEvent {
  return {
    event: '',
    ts: 0,
    session: '',
    device: '',
    messageId: '',
    orderId: '',
    path: '',
    element: '',
    product: '',
    revenue: 0,
    currency: '',
    props: '{}',
    ids: undefined,
    unusual: false,
    vault: undefined,
  }
}

/** Makes the work ready for the next event. */
export function startWork(work: Work): void {
  work.draft = createDraft()
  work.json = ''
  work.property = ''
  work.drops.fill(0)
}

export function countDrop(work: Work, code: DropCode, count = 1): void {
  work.drops[DROP_INDEX[code]]! += count
}

/** Adds the event's drops to the batch's. */
export function settleDrops(work: Work, total: Map<DropCode, number>): void {
  for (let i = 0; i < DROP_LIST.length; i++) {
    const count = work.drops[i] as number
    if (count === 0) continue
    const code = DROP_LIST[i] as DropCode
    total.set(code, (total.get(code) ?? 0) + count)
  }
}
