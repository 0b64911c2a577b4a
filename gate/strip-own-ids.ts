import { REDACTED } from './clean-path.ts'
import { createIdFinder, type IdFinder, MIN_CONTAINED } from './find-ids.ts'
import { countDrop, type DraftEvent, type Work } from './work.ts'

/**
 * Takes out of the draft every value that repeats one of the event's own ids: a path like `/users/4711/orders` or a
 * property that a developer filled with the user id would put the identity back beside its token.
 */
export function stripOwnIds(draft: DraftEvent, ids: readonly string[], work: Work): void {
  let hit = draft.unusual
  for (let i = 0; i < ids.length && !hit; i++) {
    const id = ids[i] as string
    if (id !== '') hit = mayContain(draft, id)
  }
  if (hit) strip(draft, createIdFinder(ids), work)
}

/** The same for ids of a person's other events, of which there may be thousands. */
export function stripFoundIds(draft: DraftEvent, ids: IdFinder, work: Work): void {
  const { path, element, product, props } = draft
  const hit =
    draft.unusual ||
    ids.hasShort ||
    ids.glance(props) ||
    ids.glance(path) ||
    ids.glance(element) ||
    ids.glance(product)
  if (hit) strip(draft, ids, work)
}

/** Never false where a value holds the id; may be true where none does. */
function mayContain(draft: DraftEvent, id: string): boolean {
  const length = id.length
  const { props, path, element, product } = draft
  if (length < MIN_CONTAINED) {
    return (
      props.includes(`"${id}"`) ||
      path.includes(id) ||
      element === id ||
      product === id ||
      draft.currency === id
    )
  }
  return (
    (props.length > length && props.includes(id)) ||
    (path.length >= length && path.includes(id)) ||
    (element.length >= length && element.includes(id)) ||
    (product.length >= length && product.includes(id))
  )
}

function strip(draft: DraftEvent, ids: IdFinder, work: Work): void {
  draft.path = stripPath(draft.path, ids, work)
  for (const column of ['element', 'product', 'currency'] as const) {
    if (!ids.holds(draft[column])) continue
    draft[column] = ''
    countDrop(work, 'own_identifier')
  }
  const props = JSON.parse(draft.props) as Record<string, unknown>
  let changed = false
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'boolean') continue
    if (!(typeof value === 'number' ? ids.holdsLong(String(value)) : ids.holds(String(value)))) continue
    delete props[name]
    changed = true
    countDrop(work, 'own_identifier')
  }
  if (changed) draft.props = JSON.stringify(props)
}

function stripPath(path: string, ids: IdFinder, work: Work): string {
  const segments = path.split('/')
  let changed = false
  for (let i = 0; i < segments.length; i++) {
    if (!ids.holds(segments[i] as string)) continue
    segments[i] = REDACTED
    changed = true
    countDrop(work, 'own_identifier')
  }
  const stripped = changed ? segments.join('/') : path
  // An id with a slash in it lies across segments.
  if (!ids.holds(stripped)) return stripped
  if (!changed) countDrop(work, 'own_identifier')
  return ''
}
