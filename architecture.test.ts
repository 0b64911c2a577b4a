import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

interface ImportRule {
  includes: string[]
  linter?: {
    rules?: {
      style?: { noRestrictedImports?: { options: { patterns: { group: string[]; message: string }[] } } }
    }
  }
}

const architecture = readFileSync(new URL('ARCHITECTURE.md', import.meta.url), 'utf8')
const lint = JSON.parse(readFileSync(new URL('biome.json', import.meta.url), 'utf8')) as {
  overrides: ImportRule[]
}
const rows = [...architecture.matchAll(/^\| `(\w+)\/` \| .* \| (.*) \|$/gm)].map(([, folder, may]) => ({
  folder: folder!,
  may: may!,
}))
const folders = rows.map((row) => row.folder)

/** Folders of ours that ARCHITECTURE.md keeps `folder` from importing. */
function forbiddenInText({ folder, may }: { folder: string; may: string }): string[] {
  const others = folders.filter((other) => other !== folder)
  if (may === 'everything') return []
  if (may === 'everything but tests') return ['tests']
  const allowed = may === 'nothing of ours' ? [] : may.split(', ')
  return others.filter((other) => !allowed.includes(other)).sort()
}

/** Folders that the lint rule keeps `folder` from importing. */
function forbiddenByLint(folder: string): string[] {
  const groups = lint.overrides
    .filter((override) => override.includes.includes(`${folder}/**/*.ts`))
    .flatMap((override) => override.linter?.rules?.style?.noRestrictedImports?.options.patterns ?? [])
    .flatMap((pattern) => pattern.group)
  const named = groups
    .map((glob) => /^\.\.\/(\w+)\/\*\*$/.exec(glob)?.[1])
    .filter((name) => name !== undefined)
  return [...new Set(named)].filter((name) => folders.includes(name)).sort()
}

describe('the import rule', () => {
  it('names every folder once', () => {
    expect(folders.length).toBeGreaterThan(10)
    expect(new Set(folders).size).toBe(folders.length)
  })

  it.each(rows)('of $folder is the same in ARCHITECTURE.md and in the linter', (row) => {
    expect(forbiddenByLint(row.folder)).toEqual(forbiddenInText(row))
  })
})
