import { REDACTED } from './clean-path.ts'
import { countDrop, type DraftEvent, type Work } from './work.ts'

/** An id of this length or more is looked for inside of texts; a shorter one ("42", "anna") only as a whole value. */
const MIN_CONTAINED = 6

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

function strip(draft: DraftEvent, sent: readonly string[], work: Work): void {
  const own = sent.filter((id) => id !== '').flatMap((id) => [id, normalise(id)])
  draft.path = stripPath(draft.path, own, work)
  for (const column of ['element', 'product', 'currency'] as const) {
    if (!holdsAny(draft[column], own)) continue
    draft[column] = ''
    countDrop(work, 'own_identifier')
  }
  const props = JSON.parse(draft.props) as Record<string, unknown>
  let changed = false
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'boolean') continue
    // A quantity of 2 is no leak of user "2".
    const ids = typeof value === 'number' ? own.filter((id) => id.length >= MIN_CONTAINED) : own
    if (!holdsAny(String(value), ids)) continue
    delete props[name]
    changed = true
    countDrop(work, 'own_identifier')
  }
  if (changed) draft.props = JSON.stringify(props)
}

function stripPath(path: string, own: readonly string[], work: Work): string {
  const segments = path.split('/')
  let changed = false
  for (let i = 0; i < segments.length; i++) {
    if (!holdsAny(segments[i] as string, own)) continue
    segments[i] = REDACTED
    changed = true
    countDrop(work, 'own_identifier')
  }
  const stripped = changed ? segments.join('/') : path
  // An id with a slash in it lies across segments.
  if (!holdsAny(stripped, own)) return stripped
  if (!changed) countDrop(work, 'own_identifier')
  return ''
}

function holdsAny(text: string, own: readonly string[]): boolean {
  if (text === '') return false
  const normal = normalise(text)
  return own.some((id) => {
    if (id.length < MIN_CONTAINED) return text === id || normal === id
    return text.includes(id) || normal.includes(id)
  })
}

/** Percent-encoding undone, compatibility forms folded, case ignored. */
function normalise(text: string): string {
  let plain = text
  try {
    plain = decodeURIComponent(text)
  } catch {
    // Not percent-encoded after all.
  }
  return plain.normalize('NFKC').toLowerCase()
}
