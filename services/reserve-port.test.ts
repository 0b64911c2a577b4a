import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { reservePorts } from './reserve-port.ts'

test('no port is given twice, neither in one start nor in two', async () => {
  const one = reservePorts('free')
  const two = reservePorts('free')
  const ports = await Promise.all([one, one, two, two].map((reservation) => reservation.take(8080)))
  expect(new Set(ports).size).toBe(4)
  expect(ports).not.toContain(8080)
  await Promise.all([one.release(), two.release()])
})

test('ports stay clear of those that kernels give to outgoing connections', async () => {
  const reservation = reservePorts('free')
  const port = await reservation.take(0)
  expect(port).toBeGreaterThanOrEqual(15_000)
  expect(port).toBeLessThan(32_000)
  await reservation.release()
})

test('the preferred port is taken when it is free, and left to whoever listens on it', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const reservation = reservePorts('preferred')
  expect(await reservation.take(port)).not.toBe(port)
  await new Promise((resolve) => server.close(resolve))
  expect(await reservation.take(port)).toBe(port)
  await reservation.release()
})

test('a reserved port is not given to another start before its server listens', async () => {
  const first = reservePorts('preferred')
  const port = await first.take(31_337)
  const second = reservePorts('preferred')
  expect(await second.take(port)).not.toBe(port)
  await Promise.all([first.release(), second.release()])
})
