import { Client } from '@temporalio/client'
import type { Command } from 'commander'
import { createPostgres } from '../postgres/client.ts'
import { KEY_SHARDS } from '../postgres/keyring.ts'
import { type KeyringStatus, readKeyringStatus } from '../postgres/list-shards.ts'
import { openKeyProvider } from '../postgres/open-key-provider.ts'
import type { Config } from '../runtime/config.ts'
import { ROTATION_DAYS, type RotateKeysResult } from '../schemas/keys.ts'
import { WORKFLOW_DETAILS } from '../schemas/workflow-details.ts'
import { readPlatformConfig } from '../services/platform-config.ts'
import { rotateKeysWorkflowId } from '../workers/temporal/workflow-ids.ts'
import type { rotateKeys } from '../workflows/index.ts'
import { awaitWorkflow } from './await-workflow.ts'
import { connectTemporal } from './connect-temporal.ts'

const DAY_MS = 86_400_000
/** A rotation by schedule may run for a while before a key is called too old. */
const LATE_MS = (ROTATION_DAYS + 2) * DAY_MS

/** `ebb keys status|rotate`: the wrapping keys of the keyring. */
export function define(command: Command): void {
  command
    .command('status')
    .description(
      'show shards, their wrapping keys and what the key provider still holds; exit code 1 when not well',
    )
    .option('--json', 'one JSON document')
    .action(async (options: { json?: boolean }) => {
      const { config } = await readPlatformConfig()
      const status = await readStatus(config)
      const problems = findProblems(status, Date.now())
      if (options.json) console.log(JSON.stringify({ ...status, problems }))
      else console.log(describeStatus(status, problems, Date.now()))
      if (problems.length > 0) process.exitCode = 1
    })
  command
    .command('rotate')
    .description(
      `give every shard a new wrapping key and destroy the old ones, as it happens every ${ROTATION_DAYS} days`,
    )
    .option('--no-wait', 'start only')
    .action(async (options: { wait: boolean }) => {
      const { config } = await readPlatformConfig()
      await rotate(config, options.wait)
    })
}

async function readStatus(config: Config): Promise<KeyringStatus> {
  const keyrings = createPostgres(config.postgres.keyringUrl, { connections: 1, timeoutMs: 60_000 })
  try {
    return await readKeyringStatus(keyrings, await openKeyProvider(config))
  } finally {
    await keyrings.close()
  }
}

/** What an operator has to look at, one sentence each. */
export function findProblems(status: KeyringStatus, now: number): string[] {
  const problems: string[] = []
  for (const one of status.shards) {
    const name = `shard ${one.shard} version ${one.version}`
    if (!one.keyAtProvider) problems.push(`${name}: the provider lacks its key, what it seals cannot be read`)
    if (one.olderVersions > 0)
      problems.push(`${name}: ${one.olderVersions} older versions wait for \`ebb keys rotate\``)
    if (now - one.createdAt.getTime() > LATE_MS) problems.push(`${name}: older than ${ROTATION_DAYS} days`)
  }
  if (status.strayKeys.length > 0) {
    problems.push(`keys that wrap nothing, \`ebb keys rotate\` destroys them: ${status.strayKeys.join(', ')}`)
  }
  return problems
}

export function describeStatus(status: KeyringStatus, problems: string[], now: number): string {
  const people = status.shards.filter((one) => one.shard < KEY_SHARDS)
  const seals = people.map((one) => one.seals)
  const days = status.shards.map((one) => Math.floor((now - one.createdAt.getTime()) / DAY_MS))
  const lines = [
    `${status.shards.length} shards, ${seals.reduce((sum, one) => sum + one, 0)} secrets`,
    `secrets a shard: ${Math.min(...seals)} to ${Math.max(...seals)}`,
    `age of wrapping keys: ${Math.min(...days)} to ${Math.max(...days)} days`,
    ...status.pending.map(
      (key) => `${key.name}: destroyed, beyond recall from ${new Date(key.goneByMs).toISOString()}`,
    ),
  ]
  if (status.shards.length === 0) return 'no shards yet: they are made when a collector first starts'
  return [...lines, ...problems.map((problem) => `! ${problem}`)].join('\n')
}

async function rotate(config: Config, wait: boolean): Promise<void> {
  const { address, namespace, taskQueue } = config.temporal
  const connection = await connectTemporal(address)
  try {
    const client = new Client({ connection, namespace })
    const handle = await client.workflow.start<typeof rotateKeys>('rotateKeys', {
      taskQueue,
      workflowId: rotateKeysWorkflowId(taskQueue),
      // A rotation that runs already is joined.
      workflowIdConflictPolicy: 'USE_EXISTING',
      staticSummary: 'Rotation of wrapping keys, asked for by hand',
      staticDetails: WORKFLOW_DETAILS.rotateKeys,
      args: [],
    })
    if (!wait) return console.log(`started as ${handle.workflowId}`)
    console.log(describeRotation(await awaitWorkflow('rotation', 'rotation_failed', handle.result())))
  } finally {
    await connection.close()
  }
}

export function describeRotation(result: RotateKeysResult): string {
  const gone = result.goneBy === null ? '' : `, beyond recall from ${result.goneBy}`
  return `${result.shards} shards: ${result.secrets} secrets sealed anew, ${result.destroyedKeys} keys destroyed${gone}`
}
