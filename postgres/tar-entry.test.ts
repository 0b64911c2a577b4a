import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { tarEntry } from './tar-entry.ts'

test('tar reads what we write: names, sizes, folders, contents', () => {
  const content = Buffer.from('seven 7')
  const archive = Buffer.concat([
    tarEntry('base', 0, true),
    tarEntry('base/16384_fsm', content.length, false),
    content,
    Buffer.alloc(512 - content.length),
    Buffer.alloc(1024),
  ])
  const listed = execFileSync('tar', ['-tvf', '-'], { input: archive, encoding: 'utf8' }).trim().split('\n')
  expect(listed[0]).toMatch(/^drwx------ .* base\/$/)
  expect(listed[1]).toMatch(/^-rw------- .*\b7\b.* base\/16384_fsm$/)
  expect(execFileSync('tar', ['-xOf', '-', 'base/16384_fsm'], { input: archive })).toEqual(content)
})
