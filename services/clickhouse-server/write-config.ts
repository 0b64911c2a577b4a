import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isLeftOut } from '../../runtime/left-out-purge.ts'
import type { Restriction, User } from './users.ts'

/**
 * Writes the engine's configuration next to its data: users, grants, limits, and merges that leave no old parts behind.
 * @returns the path of the main file.
 */
export function writeConfig(dataPath: string, users: User[], memoryBytes: number): string {
  const folder = join(dataPath, 'ebb-config')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const usersFile = join(folder, 'users.xml')
  writeFileSync(usersFile, usersXml(users), { mode: 0o600 })
  const file = join(folder, 'config.xml')
  writeFileSync(file, configXml(usersFile, memoryBytes), { mode: 0o600 })
  return file
}

const DAY_S = 86_400

const escapeXml = (text: string) => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)

function configXml(usersFile: string, memoryBytes: number): string {
  return `<clickhouse>
  <logger><level>none</level></logger>
  <users_config>${escapeXml(usersFile)}</users_config>
  <!-- No place for BACKUP on this disk: such a copy would outlive every erasure. Ebb's own go to S3, where they expire. -->
  <!-- Erasure waits until the old parts have left the disk. -->
  <merge_tree>
    <old_parts_lifetime>${isLeftOut('old-parts') ? DAY_S : 1}</old_parts_lifetime>
    <cleanup_delay_period>1</cleanup_delay_period>
    <cleanup_delay_period_random_add>0</cleanup_delay_period_random_add>
    <max_cleanup_delay_period>1</max_cleanup_delay_period>
  </merge_tree>
  <!-- Clients wait for an insert and a query, nobody for a merge: on busy cores merges run in between. So do mutations, for which erasures wait. Linux lets root alone say this. -->
  <os_threads_nice_value_merge_mutate>10</os_threads_nice_value_merge_mutate>
  <!-- The process stays below 2 GB: the allocator keeps about half as much again as the engine counts. -->
  <mark_cache_size>134217728</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <index_mark_cache_size>33554432</index_mark_cache_size>
  <primary_index_cache_size>67108864</primary_index_cache_size>
  <query_condition_cache_size>33554432</query_condition_cache_size>
  <max_server_memory_usage>${memoryBytes}</max_server_memory_usage>
</clickhouse>
`
}

function usersXml(users: User[]): string {
  const restricted = users.flatMap(({ name, restriction }) => (restriction ? [{ name, restriction }] : []))
  return `<clickhouse>
  <profiles>
    <default>
      <async_insert>0</async_insert>
      <!-- Threads that format a result beside the query cost a short query a quarter of its CPU; a long one goes through one pipe to one reader anyway. -->
      <output_format_parallel_formatting>0</output_format_parallel_formatting>
      <deduplicate_blocks_in_dependent_materialized_views>1</deduplicate_blocks_in_dependent_materialized_views>
      <max_memory_usage>800000000</max_memory_usage>
      <max_bytes_before_external_group_by>250000000</max_bytes_before_external_group_by>
      <max_bytes_before_external_sort>250000000</max_bytes_before_external_sort>
      <max_bytes_ratio_before_external_group_by>0</max_bytes_ratio_before_external_group_by>
      <max_bytes_ratio_before_external_sort>0</max_bytes_ratio_before_external_sort>
    </default>
${restricted.map(profileXml).join('\n')}
  </profiles>
  <quotas>
    <default></default>
${restricted.map(quotaXml).join('\n')}
  </quotas>
  <users>
${users.map(userXml).join('\n')}
  </users>
</clickhouse>
`
}

interface RestrictedUser {
  name: string
  restriction: Restriction
}

function profileXml({ name, restriction }: RestrictedUser): string {
  const limits = Object.entries(restriction.limits).map(([limit, value]) => `<${limit}>${value}</${limit}>`)
  return `    <${name}><readonly>2</readonly>${limits.join('')}</${name}>`
}

function quotaXml({ name, restriction }: RestrictedUser): string {
  const queries = `<queries>${restriction.queriesPerMinute}</queries>`
  return `    <${name}><interval><duration>60</duration>${queries}</interval></${name}>`
}

function userXml({ name, restriction, passwordSha256 }: User): string {
  const profile = restriction ? name : 'default'
  const rights = restriction
    ? `<grants>${restriction.grants.map((grant) => `<query>${escapeXml(grant)}</query>`).join('')}</grants>`
    : '<access_management>1</access_management><named_collection_control>1</named_collection_control>'
  return `    <${name}>
      <password_sha256_hex>${passwordSha256}</password_sha256_hex>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
      <profile>${profile}</profile><quota>${profile}</quota>
      ${rights}
    </${name}>`
}
