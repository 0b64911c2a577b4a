import { expect, test } from 'vitest'
import type { BackupRecord } from '../schemas/backup.ts'
import { chooseKinds, describeBackups } from './backup.ts'

const record = (kind: BackupRecord['kind'], detail: BackupRecord['detail']): BackupRecord => ({
  backupId: '00000000-0000-4000-8000-000000000001',
  kind,
  location: `${kind}/x/`,
  takenAtMs: Date.UTC(2026, 10, 20, 4),
  expiresAtMs: Date.UTC(2026, 11, 20, 4),
  detail,
})

test('a kind that cannot be backed up by itself is refused', () => {
  expect(chooseKinds(undefined)).toEqual({})
  expect(chooseKinds('keyring')).toEqual({ kinds: ['keyring'] })
  for (const kind of ['wal', 'kafka', '']) {
    expect(() => chooseKinds(kind)).toThrow(expect.objectContaining({ code: 'bad_arguments' }))
  }
})

test('the list says until when each lives, which is not whole, and how old the last copy of the log is', () => {
  expect(describeBackups([])).toEqual(['no backups'])
  const wal = { complete: true, shippedAtMs: Date.UTC(2026, 10, 21, 9, 58) }
  const lines = describeBackups([
    record('clickhouse', { complete: true, bytes: 4_096 }),
    record('postgres', { complete: false }),
    record('wal', { complete: true, shippedAtMs: Date.UTC(2026, 10, 21, 9, 56) }),
    record('wal', wal),
  ])
  expect(lines[0]).toContain('taken 2026-11-20 04:00, gone by 2026-12-20 04:00, 4096 bytes')
  expect(lines[1]).toContain('NOT COMPLETE')
  expect(lines[2]).toBe('log of Postgres: 2 copies, the last at 2026-11-21 09:58')
})
