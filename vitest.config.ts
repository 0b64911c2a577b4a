import { defineConfig } from 'vitest/config'

// Three tiers: units beside their code, integration on real engines, whole paths end to end. Units share a worker's modules, which
// spares each file the loading of what others have loaded; those that replace a module or a part of it have a worker of their own.
// Integration files run two at a time: each has a stage of its own, and much of their time is waiting. Those that start a platform
// of their own run one at a time. Limits are for what hangs: a machine that is busy with something else is three times slower.
const ISOLATED = '**/*.isolated.test.ts'
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: ['tests/**', 'node_modules/**', '.ebb/**', ISOLATED],
          isolate: false,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'unit-isolated',
          include: [ISOLATED],
          exclude: ['node_modules/**', '.ebb/**'],
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'int',
          include: ['tests/int/**/*.test.ts'],
          globalSetup: ['tests/fresh-build.ts', 'tests/engines.ts'],
          maxWorkers: 2,
          testTimeout: 180_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          globalSetup: ['tests/fresh-build.ts', 'tests/engines.ts'],
          maxWorkers: 1,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
})
