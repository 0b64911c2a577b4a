import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const BIOME = resolve('node_modules/.bin/biome')

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ebb-lint-'))
  mkdirSync(join(folder, 'workflows'))
  cpSync('biome.json', join(folder, 'biome.json'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What our lint rules say of a workflow file with this source. */
function lint(source: string): string {
  writeFileSync(join(folder, 'workflows/made-up.ts'), source)
  const { stdout, stderr } = spawnSync(BIOME, ['lint', '--colors=off', 'workflows'], {
    cwd: folder,
    encoding: 'utf8',
  })
  return stdout + stderr
}

describe('a workflow file', () => {
  it.each([
    ["import { readFile } from 'node:fs/promises'\nexport const read = readFile\n", 'noNodejsModules'],
    ["import os from 'os'\nexport const host = os\n", 'noNodejsModules'],
    [
      "import { beatWhile } from '../activities/beat-while.ts'\nexport const x = beatWhile\n",
      'noRestrictedImports',
    ],
    [
      "import { createKafka } from '../kafka/client.ts'\nexport const x = createKafka\n",
      'noRestrictedImports',
    ],
  ])('may not say %j', (source, rule) => {
    expect(lint(source)).toContain(rule)
  })

  it('may import the shapes that it shares with the activities', () => {
    const source = "import type { EtlActivities } from '../schemas/etl.ts'\nexport type X = EtlActivities\n"
    expect(lint(source)).not.toMatch(/noNodejsModules|noRestrictedImports/)
  })
})
