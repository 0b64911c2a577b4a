import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { PROJECT_ROOT } from '../runtime/project-root.ts'

test('whom `npm run ebb -- erase` names stands in no file of npm’s', async () => {
  const home = await mkdtemp(join(tmpdir(), 'ebb-npm-'))
  try {
    // Of an npm that runs this test itself, nothing is told to the other.
    const own = Object.entries(process.env).filter(([key]) => !key.startsWith('npm_'))
    const { stdout } = await promisify(execFile)(
      'npm',
      ['run', 'ebb', '--', 'erase', '--email', 'ada@example.com', '--help'],
      {
        cwd: PROJECT_ROOT,
        env: {
          ...Object.fromEntries(own),
          EBB_NODE: process.execPath,
          HOME: home,
          npm_config_cache: join(home, '.npm'),
        },
      },
    )
    // npm itself has said what it runs: it was told the name.
    expect(stdout).toContain('ada@example.com')
    expect(stdout).toContain('--proof')
    const files = (await readdir(home, { recursive: true, withFileTypes: true })).filter((one) =>
      one.isFile(),
    )
    for (const file of files)
      expect(await readFile(join(file.parentPath, file.name), 'utf8'), file.name).not.toContain('ada@')
  } finally {
    await rm(home, { recursive: true })
  }
})
