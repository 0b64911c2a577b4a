import { REDACTED } from './clean-path.ts'
import { createIdFinder, type IdFinder, MIN_CONTAINED } from './find-ids.ts'
import { countDrop, type DraftEvent, type Work } from './work.ts'

/**
 * Takes out of the draft every value that repeats one of the event's own ids: a path like `/users/4711/orders` or a
 * property that a developer filled with the user id would put the identity back beside its token.
 */
export function stripOwnIds(draft: DraftEvent, ids: readonly string[], work: Work): void {
  let hit = draft.unusual
  const texts = hit ? '' : foldTexts(draft)
  for (let i = 0; i < ids.length && !hit; i++) {
    const id = ids[i] as string
    if (id !== '') hit = mayContain(texts, id.toLowerCase())
  }
  if (hit) strip(draft, createIdFinder(ids), work)
}

/** The same for ids of a person's other events, of which there may be thousands. */
export function stripFoundIds(draft: DraftEvent, ids: IdFinder, work: Work): void {
  const hit = draft.unusual || ids.hasShort || ids.hasSpaced || ids.glance(foldTexts(draft))
  if (hit) strip(draft, ids, work)
}

/**
 * All texts of the draft in lower case, each between quotes, so that one search looks at all of them: people and
 * programs write ids in any case.
 */
function foldTexts({ path, element, product, currency, props }: DraftEvent): string {
  return `"${path}""${element}""${product}""${currency}"${props}`.toLowerCase()
}

/** Never false where a value holds the id; may be true where none does. A space may be written as `+` or `%20`. */
function mayContain(texts: string, id: string): boolean {
  if (id.includes(' ')) return true
  if (id.length >= MIN_CONTAINED) return texts.includes(id)
  return (
    texts.includes(`"${id}"`) ||
    texts.includes(`/${id}/`) ||
    texts.includes(`/${id}"`) ||
    texts.includes(`"${id}/`)
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
