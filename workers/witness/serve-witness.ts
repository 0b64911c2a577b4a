import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CertificateError } from '../../certificates/certificate-error.ts'
import {
  type AddCheckpoint,
  type Cosigned,
  cosign,
  parseAddCheckpoint,
  type Refused,
} from '../../certificates/cosign.ts'
import { formatPublicKey, type PublicKey } from '../../certificates/public-key.ts'
import type { Signer } from '../../certificates/signer.ts'
import type { WitnessState } from './witness-state.ts'

/** 63 hashes and a note with as many signatures are below this. */
const MAX_BYTES = 64 * 1024

export interface WatchingWitness {
  signer: Signer
  /** Keys of the logs that it watches. */
  watchedLogs(): Promise<readonly PublicKey[]>
}

export interface WitnessServer {
  port: number
  close(): Promise<void>
}

/**
 * C2SP tlog-witness: `POST /add-checkpoint` answers 200 with a cosignature line, 409 with its size where the log's old size is
 * another (`text/x.tlog.size`), 400, 403, 404 or 422 as specified. `GET /` gives the witness's public key.
 */
export async function serveWitness(
  witness: WatchingWitness,
  state: WitnessState,
  options: { host: string; port: number; nowSeconds(): number },
): Promise<WitnessServer> {
  const server = createServer((request, response) => {
    answer(witness, state, options.nowSeconds, request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500)
      response.end()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
      }),
  }
}

async function answer(
  witness: WatchingWitness,
  state: WitnessState,
  nowSeconds: () => number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const send = (status: number, body = '', type = 'text/plain; charset=utf-8') =>
    void response.writeHead(status, { 'content-type': type }).end(body)
  if (request.method === 'GET' && request.url === '/') {
    return send(200, `${formatPublicKey(witness.signer.key)}\n`)
  }
  if (request.url !== '/add-checkpoint') return send(404)
  if (request.method !== 'POST') return send(405)
  const body = await readBody(request)
  const wish = body === undefined ? undefined : parseWish(body)
  if (!wish) return send(400)
  const watching = { signer: witness.signer, logs: await witness.watchedLogs() }
  const verdict = await state.update<Cosigned | Refused>((stateOf) => {
    const origin = wish.checkpoint.slice(0, Math.max(0, wish.checkpoint.indexOf('\n')))
    const decided = cosign(watching, stateOf(origin), wish, nowSeconds())
    if (!decided.ok) return { answer: decided }
    return { answer: decided, store: { origin: decided.origin, head: decided.state } }
  })
  if (verdict.ok) return send(200, `${verdict.line}\n`)
  if (verdict.status === 409) return send(409, `${verdict.size ?? 0}\n`, 'text/x.tlog.size')
  return send(verdict.status, `${verdict.code}\n`)
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BYTES) return undefined
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    return undefined
  }
}

function parseWish(body: string): AddCheckpoint | undefined {
  try {
    return parseAddCheckpoint(body)
  } catch (error) {
    if (error instanceof CertificateError) return undefined
    throw error
  }
}
