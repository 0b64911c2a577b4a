import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Rules that a workflow file with this import breaks. */
function lint(source: string): string {
  const args = ['lint', '--colors=off', '--stdin-file-path=workflows/made-up.ts']
  const result = spawnSync('node_modules/.bin/biome', args, { cwd: ROOT, input: source, encoding: 'utf8' })
  return result.stdout + result.stderr
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
      "import { createClickHouse } from '../clickhouse/client.ts'\nexport const x = createClickHouse\n",
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
