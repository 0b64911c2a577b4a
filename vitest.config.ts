import { defineConfig } from 'vitest/config'
import { LongestFirst } from './tests/longest-first.ts'

// Three tiers: units beside their code, integration on real engines, whole paths end to end. Files share a worker's modules, which
// spares each the loading of what others have loaded; those that replace a module or a part of it, or start a Temporal worker, whose
// runtime is one for a process, have a worker of their own.
// Files on engines run four at a time: each has a stage or a platform of its own, and much of their time is waiting. Units come before them
// (groupOrder). Limits are for what hangs: a machine that is busy with something else is three times slower.
const ISOLATED = '**/*.isolated.test.ts'
const UNITS = { maxWorkers: 2, testTimeout: 30_000, sequence: { groupOrder: 1 } }
const ON_ENGINES = {
  globalSetup: ['tests/fresh-build.ts', 'tests/engines.ts'],
  testTimeout: 180_000,
  hookTimeout: 300_000,
  maxWorkers: 4,
  sequence: { groupOrder: 2 },
}
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: ['tests/**', 'node_modules/**', '.ebb/**', ISOLATED],
          isolate: false,
          ...UNITS,
        },
      },
      {
        test: {
          name: 'unit-isolated',
          include: [ISOLATED],
          exclude: ['tests/**', 'node_modules/**', '.ebb/**'],
          ...UNITS,
        },
      },
      {
        test: {
          ...ON_ENGINES,
          name: 'int',
          include: ['tests/int/**/*.test.ts'],
          exclude: [ISOLATED],
          isolate: false,
        },
      },
      {
        test: {
          ...ON_ENGINES,
          name: 'int-isolated',
          include: ['tests/int/**/*.isolated.test.ts'],
        },
      },
      {
        test: {
          ...ON_ENGINES,
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
})
