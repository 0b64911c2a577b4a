import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { RESIDUES } from './data-map.ts'

/** Where code makes a folder or database beside the stores, and how it is spelled there. */
const MADE_IN: [file: string, name: RegExp][] = [
  ['services/clickhouse-server/spool-body.ts', /const PREFIX = '([^']+)'/g],
  ['services/clickhouse-server/restricted-user.ts', /const VIEWS = '([^']+)'/g],
  ['services/clickhouse-server/write-config.ts', /join\(dataPath, '([^']+)'\)/g],
  ['runtime/config.ts', /'(reports\/output)'/g],
  ['activities/raise-alert.ts', /ALERTS_FILE = '([^']+)'/g],
]

test.each(MADE_IN)('what %s makes beside the stores is listed as a residue', (file, name) => {
  const source = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
  const made = [...source.matchAll(name)].map((match) => match[1] ?? '')
  expect(made.length).toBeGreaterThan(0)
  const listed = RESIDUES.map((each) => each.residue).join('\n')
  for (const folder of made) expect(listed).toContain(folder)
})

test('every residue says how it goes and how one sees that it went', () => {
  for (const { residue, purge, check } of RESIDUES) expect([residue, purge, check], residue).not.toContain('')
  expect(new Set(RESIDUES.map((each) => each.residue)).size).toBe(RESIDUES.length)
})
