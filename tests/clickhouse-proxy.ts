import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ClickHouseProxy {
  /** Like the server's URL, by way of the proxy. */
  url: string
  /** Every connection is broken off until `up`. */
  down(): void
  up(): void
  /** From now on inserts into `events_raw` arrive here and go no further, until the returned function is called. */
  hold(): { count(): number; release(): Promise<void> }
  /** How each request that came by began: its statement, or the rows of an insert. */
  seen: string[]
  close(): Promise<void>
}

/** Stands between one process and ClickHouse, so that a test can be the network. Bodies pass unchanged. */
export async function startClickHouseProxy(target: string): Promise<ClickHouseProxy> {
  const { hostname, port, username } = new URL(target)
  let isDown = false
  const seen: string[] = []
  let held: (() => Promise<void>)[] | undefined

  const forward = (from: IncomingMessage, body: Buffer, to: ServerResponse): Promise<void> =>
    new Promise((resolve) => {
      const onward = request(
        {
          hostname,
          port,
          method: from.method,
          path: from.url,
          headers: { ...from.headers, host: `${hostname}:${port}` },
        },
        (answer) => {
          to.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(to)
          answer.on('close', resolve)
        },
      )
      onward.on('error', () => {
        to.destroy()
        resolve()
      })
      onward.end(body)
    })
  const server = createServer(async (from, to) => {
    const chunks: Buffer[] = []
    to.on('error', () => undefined)
    if (isDown) return from.socket.destroy()
    try {
      for await (const chunk of from) chunks.push(chunk as Buffer)
    } catch {
      return
    }
    const body = Buffer.concat(chunks)
    seen.push(body.subarray(0, 500).toString())
    const isEventsInsert = decodeURIComponent(from.url ?? '')
      .replaceAll('+', ' ')
      .includes('INSERT INTO events_raw')
    if (held && isEventsInsert) held.push(() => forward(from, body, to))
    else await forward(from, body, to)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    seen,
    url: `http://${username || 'default'}@127.0.0.1:${(server.address() as AddressInfo).port}`,
    down() {
      isDown = true
      server.closeAllConnections()
    },
    up() {
      isDown = false
    },
    hold() {
      const own: (() => Promise<void>)[] = []
      held = own
      return {
        count: () => own.length,
        async release() {
          held = undefined
          await Promise.all(own.map((go) => go()))
        },
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
