import { readdirSync, readFileSync } from 'node:fs'
import { Worker } from '@temporalio/worker'
import { beforeAll, describe, expect, it } from 'vitest'
import { SEARCH_ATTRIBUTES } from '../schemas/search-attributes.ts'
import { historyFromJson } from '../tests/history-json.ts'
import { bundleWorkflows } from '../workers/temporal/bundle-workflows.ts'
import { quietTemporal } from '../workers/temporal/quiet-temporal.ts'
import { appAttribute, blockedStoreAttribute, deadlineAttribute, overdueAttribute } from './track-erasure.ts'
import { dayAttribute, driftAttribute, rowsAttribute, stageAttribute } from './track-progress.ts'

const FOLDER = new URL('./histories/', import.meta.url)
const recorded = readdirSync(FOLDER).filter((name) => name.endsWith('.json'))

/** The id that the workflow had when it was recorded: ids of its children begin with it. */
const idOf = (name: string) => `recorded-${name.replace('.json', '')}`

// A run that is open when a new version is deployed continues on it: each history is one that may be open.
describe('the workflows continue what an earlier version of them began', () => {
  const outcomes = new Map<string, Error | 'replayed'>()
  beforeAll(async () => {
    quietTemporal()
    const workflowBundle = await bundleWorkflows()
    const histories = recorded.map((name) => ({
      workflowId: idOf(name),
      history: historyFromJson(readFileSync(new URL(name, FOLDER), 'utf8')),
    }))
    for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, histories))
      outcomes.set(workflowId, error ?? 'replayed')
  }, 120_000)

  it('with a history of every outcome', () => {
    expect(recorded.length).toBeGreaterThanOrEqual(10)
  })

  it.each(recorded)('%s', (name) => {
    expect(outcomes.get(idOf(name))).toBe('replayed')
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
