import { spawn } from 'node:child_process'

/** Prints the extended attributes of everything below a folder, in which versitygw keeps metadata of objects. */
const PROGRAM = `
import os, sys
def show(path):
    try:
        for name in os.listxattr(path, follow_symlinks=False):
            value = os.getxattr(path, name, follow_symlinks=False)
            sys.stdout.buffer.write(name.encode() + b'=' + value + b'\\n')
    except OSError:
        pass
for folder, folders, files in os.walk(sys.argv[1]):
    for entry in folders + files:
        show(os.path.join(folder, entry))
`

/**
 * Node cannot read extended attributes; Python can, where the system has them (Linux).
 * @throws Error without Python: attributes that nobody read are not clean.
 */
export async function readAttributes(folder: string): Promise<Buffer> {
  if (process.platform !== 'linux') return Buffer.alloc(0)
  const child = spawn('python3', ['-c', PROGRAM, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new Error(`python3, which reads extended attributes, ended with ${code}`)
  return Buffer.concat(chunks)
}
