import { afterEach, expect, test, vi } from 'vitest'
import type { Logger } from './logger.ts'
import { onShutdown } from './shutdown.ts'

afterEach(() => vi.restoreAllMocks())

/** Registers a stop and sends it a SIGTERM that never leaves this function. @returns what was logged, and the exit code. */
async function stopWith(stop: () => Promise<void>) {
  const listeners = new Map<string | symbol, () => void>()
  vi.spyOn(process, 'on').mockImplementation((signal, listener) => {
    listeners.set(signal, listener as () => void)
    return process
  })
  const exit = vi.spyOn(process, 'exit').mockImplementation((() => {}) as never)
  const lines: unknown[][] = []
  const note = (...line: unknown[]) => lines.push(line)
  onShutdown({ info: note, error: note } as unknown as Logger, stop)
  listeners.get('SIGTERM')?.()
  listeners.get('SIGTERM')?.()
  await vi.waitFor(() => expect(exit).toHaveBeenCalled())
  return { lines, codes: exit.mock.calls.map(([code]) => code) }
}

test('A signal stops once, and the process ends well', async () => {
  const stop = vi.fn(async () => {})
  expect((await stopWith(stop)).codes).toEqual([0])
  expect(stop).toHaveBeenCalledTimes(1)
})

test('A stop that fails is logged by name and code alone: a message may quote a person', async () => {
  const error = Object.assign(new TypeError('no such key: anna@example.com', { cause: 'anna' }), {
    code: 'E1',
    row: 'anna',
  })
  const { lines, codes } = await stopWith(() => Promise.reject(error))
  expect(codes).toEqual([1])
  expect(lines.at(-1)).toEqual([{ err: { name: 'TypeError', code: 'E1' } }, 'stop failed'])
  expect(JSON.stringify((await stopWith(() => Promise.reject('anna'))).lines)).not.toContain('anna')
})
