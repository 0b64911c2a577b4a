/**
 * Header of one entry of a tar archive (ustar): 512 bytes. Files 0600, folders 0700, as a server wants its own.
 * @param bytes below 8 GiB; a server's files have at most one
 */
export function tarEntry(path: string, bytes: number, isFolder: boolean): Buffer {
  const header = Buffer.alloc(512)
  header.write(isFolder ? `${path}/` : path, 0, 100)
  header.write(isFolder ? '0000700' : '0000600', 100)
  header.write('0000000', 108)
  header.write('0000000', 116)
  header.write(bytes.toString(8).padStart(11, '0'), 124)
  header.write('00000000000', 136)
  header.write('        ', 148)
  header.write(isFolder ? '5' : '0', 156)
  header.write('ustar\u000000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}
