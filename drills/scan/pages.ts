const WAL_PAGE = 8_192
const WAL_LONG_HEADER = 40
const WAL_SHORT_HEADER = 24
const SQLITE_MAGIC = 'SQLite format 3\0'
const SQLITE_WAL_MAGICS: readonly number[] = [0x377f0682, 0x377f0683]
/** An overflow page begins with the number of the next one. */
const SQLITE_LINK = 4

/**
 * Other readings of a file whose records run on over page borders, where a header would cut a string in two: the pages joined
 * without their headers. Empty for files without such pages.
 */
export function joinPages(data: Buffer): { name: string; bytes: Buffer }[] {
  if (data.length < 512) return []
  if (data.toString('latin1', 0, SQLITE_MAGIC.length) === SQLITE_MAGIC) {
    const stored = data.readUInt16BE(16)
    const page = stored === 1 ? 65_536 : stored
    return [{ name: 'sqlite-pages', bytes: join(data, 0, page, () => SQLITE_LINK) }]
  }
  if (SQLITE_WAL_MAGICS.includes(data.readUInt32BE(0))) {
    const page = data.readUInt32BE(8)
    return [{ name: 'sqlite-wal', bytes: join(data, 32, page + 24, () => 24 + SQLITE_LINK) }]
  }
  if (isWalSegment(data)) {
    const header = (index: number) => (index === 0 ? WAL_LONG_HEADER : WAL_SHORT_HEADER)
    return [{ name: 'wal-pages', bytes: join(data, 0, WAL_PAGE, header) }]
  }
  return []
}

/** The long header of a segment's first page: magic d1xx, flag 2, and in it the sizes of segment and page. */
function isWalSegment(data: Buffer): boolean {
  return (
    data.length >= WAL_PAGE &&
    data[1] === 0xd1 &&
    (data.readUInt16LE(2) & 2) !== 0 &&
    data.readUInt32LE(36) === WAL_PAGE
  )
}

function join(data: Buffer, from: number, page: number, header: (index: number) => number): Buffer {
  if (page < 512) return Buffer.alloc(0)
  const parts: Buffer[] = []
  for (let at = from, index = 0; at < data.length; at += page, index++) {
    parts.push(data.subarray(at + header(index), at + page))
  }
  return Buffer.concat(parts)
}
