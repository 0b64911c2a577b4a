import { expect, test } from 'vitest'
import { refuseOldServer } from './migrate.ts'

test.each(['25.8.1.5101', '26.1.9.1', '9.4', ''])('a server of version "%s" is refused', (version) => {
  expect(() => refuseOldServer(version)).toThrow(expect.objectContaining({ code: 'clickhouse_too_old' }))
})

test.each(['26.2.1.1', '26.10.3.1', '27.1.1.1', '26.3.2.10001.altinitystable'])(
  'a server of version "%s" is taken',
  (version) => {
    expect(() => refuseOldServer(version)).not.toThrow()
  },
)
