import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { RESIDUES } from '../../schemas/data-map.ts'
import { RESIDUE_CHECKS } from './residues.ts'

/** Residues that the drill neither leaves nor tries, by engine and the beginning of their text: why, and what tests them. */
const ELSEWHERE: { engine: string; residue: string; why: string; test?: string }[] = [
  {
    engine: 'clickhouse',
    residue: 'query_log',
    why: 'the development server has none; on a real server nothing of ours looks',
  },
  {
    engine: 'clickhouse',
    residue: 'erase_tokens',
    why: 'gone with its batch, before the search; left out by --without batch-tokens',
    test: 'tests/int/erase-clickhouse.test.ts',
  },
  {
    engine: 'clickhouse',
    residue: 'rederive_*',
    why: 'gone with its recount, before the search',
    test: 'tests/int/erase-clickhouse.test.ts',
  },
  {
    engine: 'clickhouse',
    residue: 'database ebb_restricted',
    why: 'in memory',
    test: 'tests/int/clickhouse-server-restricted.test.ts',
  },
  {
    engine: 'clickhouse',
    residue: '<data>/ebb-config',
    why: 'holds no person of an app; searched like every file of the home',
  },
  {
    engine: 'clickhouse',
    residue: 'table archive_erasure',
    why: 'in memory; that it is dropped, nothing tests',
  },
  {
    engine: 'clickhouse',
    residue: 'database <name>_restoring',
    why: 'the drill restores nothing',
    test: 'tests/int/restore.test.ts',
  },
  {
    engine: 'postgres',
    residue: 'write-ahead log that the replication slot',
    why: 'the same files as the check of the write-ahead log; what ships and frees them is tested',
    test: 'tests/int/s3-backup.test.ts',
  },
  {
    engine: 'postgres',
    residue: 'ebb_restored_log',
    why: 'the drill restores nothing; deleted by whoever restores (docs/backup-and-restore.md), which nothing tests',
  },
  {
    engine: 'kafka',
    residue: 'tombstones of subject_states',
    why: 'the same segments as the check of records under a newer one',
  },
  {
    engine: 'ebb',
    residue: 'key file',
    why: 'holds keys and no person; drill:reidentify attacks with all that is left of it',
    test: 'postgres/file-key-provider.test.ts',
  },
  { engine: 'ebb', residue: 'shard keys', why: 'in memory', test: 'tests/int/keyring-destroy.test.ts' },
]

type Named = { engine: string; residue: string }
const isOf = (text: Named) => (each: Named) =>
  text.engine === each.engine && text.residue.startsWith(each.residue)

test.each(RESIDUES)('the drill leaves or tries $engine: $residue, or it is said why not', (text) => {
  const found = [RESIDUE_CHECKS, ELSEWHERE].map((list) => list.filter(isOf(text)).length)
  expect([
    [1, 0],
    [0, 1],
  ]).toContainEqual(found)
})

test.each([...RESIDUE_CHECKS, ...ELSEWHERE])('$engine: $residue is one residue of the data map', (each) => {
  expect(RESIDUES.filter((text) => isOf(text)(each))).toHaveLength(1)
})

test.each(ELSEWHERE.filter((each) => each.test))('$residue is tested in $test', ({ test: file }) => {
  expect(existsSync(new URL(`../../${file}`, import.meta.url))).toBe(true)
})
