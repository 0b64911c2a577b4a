import type { Canaries, CanaryPlace } from './canaries.ts'
import { CONTAINER_HEADS, type Container, containerAt } from './containers.ts'
import { type Encoding, encodeBytes, encodeText, readText, skippedBytes } from './encodings.ts'
import { createPatternFinder, type Pattern } from './find-patterns.ts'

/** Bytes that must not be found, 12 or more: a token, a handle, a key. */
export interface Secret {
  name: string
  bytes: Buffer
  /** ASCII: looked for in UTF-16, too. */
  isText?: boolean
}

export interface Finding {
  /** In the bytes given, or in the innermost container. */
  offset: number
  encoding: Encoding
  /** What had to be unpacked, outermost first. */
  containers: string[]
  canary?: CanaryPlace
  secret?: string
}

export interface Scanner {
  /** Searches the bytes, and what is compressed in them, whatever file they came from. */
  scan(data: Buffer): Promise<Finding[]>
}

/** Containers in containers: a page of a Parquet file in a tar in a gzip. */
const MAX_DEPTH = 5
/** Base64 of the first bytes of gzip and zstd: something packed that travels as text. */
const PACKED_TEXT = ['H4sIAAAA', 'KLUv/']

/**
 * Prepares a search for a run's canaries and for any number of secrets, in every form of encodings.ts.
 * @param secrets those of thousands of people are searched as fast as one.
 * @param onBytes is shown all bytes, packed and unpacked, for a look of its own.
 */
export function createScanner(
  canaries: Canaries,
  secrets: readonly Secret[] = [],
  onBytes?: (data: Buffer) => void,
): Scanner {
  const meanings: { encoding: Encoding; secret?: string }[] = []
  const patterns: Pattern[] = []
  const add = (encoding: Encoding, bytes: Buffer, secret?: string) => {
    if (bytes.length < 8) return
    patterns.push({ bytes, id: meanings.length })
    meanings.push({ encoding, ...(secret !== undefined && { secret }) })
  }
  for (const { encoding, bytes } of encodeText(canaries.marker)) add(encoding, bytes)
  for (const { name, bytes, isText } of secrets) {
    for (const form of isText ? encodeText(bytes.toString()) : encodeBytes(bytes))
      add(form.encoding, form.bytes, name)
  }
  const finder = createPatternFinder(patterns, CONTAINER_HEADS)

  const interpret = (data: Buffer, id: number, offset: number, containers: string[]): Finding | undefined => {
    const { encoding, secret } = meanings[id]!
    if (secret !== undefined) return { offset, encoding, containers, secret }
    const text = readText(data, offset, encoding, canaries.length, skippedBytes(encoding))
    const canary = canaries.read(text)
    return { offset, encoding, containers, ...(canary && { canary }) }
  }

  async function scan(data: Buffer, outer: string[]): Promise<Finding[]> {
    onBytes?.(data)
    const findings: Finding[] = []
    const inner: Container[] = []
    const onMatch = (id: number, offset: number) => {
      const finding = interpret(data, id, offset, outer)
      if (finding) findings.push(finding)
    }
    const onHead = (offset: number) => {
      const container = containerAt(data, offset)
      if (container) inner.push(container)
    }
    finder.find(data, onMatch, outer.length < MAX_DEPTH ? onHead : undefined)
    if (outer.length < MAX_DEPTH) inner.push(...packedTexts(data))
    for (const container of inner) {
      const unpacked = await container.open()
      if (unpacked.length >= 8) findings.push(...(await scan(unpacked, [...outer, container.name])))
    }
    return findings
  }
  return { scan: (data) => scan(data, []) }
}

function packedTexts(data: Buffer): Container[] {
  const found: Container[] = []
  for (const start of PACKED_TEXT) {
    for (let at = data.indexOf(start); at >= 0; at = data.indexOf(start, at + 1)) {
      const from = at
      found.push({
        name: 'base64',
        open() {
          const text = data.toString('latin1', from, Math.min(from + 8_000_000, data.length))
          return Buffer.from(/^[A-Za-z0-9+/_-]*/.exec(text)![0], 'base64')
        },
      })
    }
  }
  return found
}
