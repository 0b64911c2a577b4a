import { readdirSync, readFileSync } from 'node:fs'
import { Worker, type WorkflowBundle } from '@temporalio/worker'
import { beforeAll, describe, expect, it } from 'vitest'
import { SEARCH_ATTRIBUTES } from '../schemas/search-attributes.ts'
import { historyFromJson } from '../tests/history-json.ts'
import { bundleWorkflows } from '../workers/temporal/bundle-workflows.ts'
import { quietTemporal } from '../workers/temporal/quiet-temporal.ts'
import { appAttribute, blockedStoreAttribute, deadlineAttribute, overdueAttribute } from './track-erasure.ts'
import { dayAttribute, driftAttribute, rowsAttribute, stageAttribute } from './track-progress.ts'

const FOLDER = new URL('./histories/', import.meta.url)
const recorded = readdirSync(FOLDER).filter((name) => name.endsWith('.json'))

// A run that is open when a new version is deployed continues on it: each history is one that may be open.
describe('the workflows continue what an earlier version of them began', () => {
  let workflowBundle: WorkflowBundle
  beforeAll(async () => {
    quietTemporal()
    workflowBundle = await bundleWorkflows()
  }, 30_000)

  it('with a history of every outcome', () => {
    expect(recorded.length).toBeGreaterThanOrEqual(10)
  })

  it.each(recorded)('%s', async (name) => {
    const history = historyFromJson(readFileSync(new URL(name, FOLDER), 'utf8'))
    await Worker.runReplayHistory({ workflowBundle }, history, `recorded-${name.replace('.json', '')}`)
  })
})

describe('the search attributes that workflows set', () => {
  it('are those that are registered, with their types', () => {
    const erasures = [appAttribute, deadlineAttribute, overdueAttribute, blockedStoreAttribute]
    const set = [dayAttribute, stageAttribute, driftAttribute, rowsAttribute, ...erasures]
    for (const { name, type } of set) {
      expect(SEARCH_ATTRIBUTES[name as keyof typeof SEARCH_ATTRIBUTES].toUpperCase()).toBe(type)
    }
  })
})
