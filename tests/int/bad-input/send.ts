import { request } from 'node:http'
import { connect } from 'node:net'

/** What came back: a code of a refused request, or the verdict on its events. */
export interface Outcome {
  status: number
  code?: string
  accepted?: number
  rejected?: { index: number; code: string }[]
}

export interface Post {
  path?: string
  method?: string
  headers?: Record<string, string>
  body?: Buffer | string
}

/** One request by a well-behaved HTTP client. */
export function post(
  base: string,
  { path = '/v1/batch', method = 'POST', headers = {}, body = '' }: Post,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const bytes = Buffer.from(body)
    const outgoing = request(`${base}${path}`, {
      method,
      headers: { 'content-length': bytes.length, ...headers },
    })
    outgoing.on('error', reject)
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve(readOutcome(response.statusCode!, Buffer.concat(chunks).toString())))
      response.on('error', reject)
    })
    outgoing.end(bytes)
  })
}

/** Bytes as they are, by a client that need not know HTTP; the first answer counts. `end` closes our side after them. */
export function sendRaw(base: string, text: string | Buffer, end = false): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(base).port), '127.0.0.1')
    let answer = ''
    const finish = () => {
      const [head, body] = answer.split('\r\n\r\n', 2)
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head ?? '')?.[1])
      if (!status) reject(new Error(`no answer but ${JSON.stringify(answer)}`))
      else resolve(readOutcome(status, body ?? ''))
      socket.destroy()
    }
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
      const length = /content-length: (\d+)/i.exec(answer)?.[1]
      const bodyAt = answer.indexOf('\r\n\r\n')
      if (bodyAt >= 0 && length !== undefined && answer.length >= bodyAt + 4 + Number(length)) finish()
    })
    socket.on('close', finish)
    if (end) socket.end(text)
    else socket.write(text)
  })
}

function readOutcome(status: number, text: string): Outcome {
  if (text === '') return { status }
  const answer = JSON.parse(text) as {
    error?: { code: string; message: string }
    accepted?: number
    rejected?: { index: number; code: string }[]
  }
  return {
    status,
    ...(answer.error && { code: answer.error.code }),
    ...(answer.accepted !== undefined && { accepted: answer.accepted }),
    ...(answer.rejected && { rejected: answer.rejected }),
  }
}
