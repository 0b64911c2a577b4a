import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface S3Proxy {
  /** Like the server's endpoint, by way of the proxy. */
  endpoint: string
  /** Calls of these buckets get no answer at all, until it is said again. */
  silence(buckets: readonly string[]): void
  close(): Promise<void>
}

/** Stands between one client and object storage. The host stays as it was signed. */
export async function startS3Proxy(target: string): Promise<S3Proxy> {
  const { hostname, port } = new URL(target)
  let silent: readonly string[] = []
  const server = createServer((from, to) => {
    const bucket = (from.url ?? '').split(/[/?]/)[1] ?? ''
    if (silent.includes(bucket)) return
    const onward = request(
      { hostname, port, method: from.method, path: from.url, headers: from.headers },
      (answer) => {
        to.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(to)
      },
    )
    onward.on('error', () => to.destroy())
    from.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    silence(buckets) {
      silent = buckets
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
