import { writeFileSync } from 'node:fs'
import { invalidCases } from './invalid-cases.ts'
import { validCases } from './valid-cases.ts'
import { writeVector } from './vector.ts'

/** The vectors' files by name. Fixed keys and times: the same bytes at each run. */
export function generateVectors(): Record<string, string> {
  const file = (cases: ReturnType<typeof validCases>) =>
    `${JSON.stringify(cases.map(writeVector), null, 2)}\n`
  return { 'valid.json': file(validCases()), 'invalid.json': file(invalidCases()) }
}

// `node --import tsx tests/vectors/generate.ts` writes them anew.
if (process.argv[1] === new URL(import.meta.url).pathname) {
  for (const [name, text] of Object.entries(generateVectors())) {
    writeFileSync(new URL(name, import.meta.url), text)
  }
}
