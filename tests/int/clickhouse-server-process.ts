import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { builtScript } from '../../runtime/project-root.ts'

const MAIN = builtScript('services/clickhouse-server/main.ts')

export interface TestServer {
  url: string
  dataPath: string
  /** From the spawn to the ready line. */
  startMs: number
  process: ChildProcess
  /** Posts a statement (with data behind it, when it is an INSERT). */
  ask(sql: string | Buffer, options?: AskOptions): Promise<Answer>
  /** Sends a signal and waits for the end. @returns milliseconds. */
  end(signal: NodeJS.Signals): Promise<number>
}

export interface AskOptions {
  user?: string
  password?: string
  parameters?: Record<string, string>
  headers?: Record<string, string>
  method?: string
}

export interface Answer {
  status: number
  text: string
  code: string | null
  headers: Headers
}

/** A server of the test's own, to be killed and restarted at will. */
export async function startServer(
  dataPath: string,
  environment: Record<string, string> = {},
): Promise<TestServer> {
  const begin = performance.now()
  const child = spawn(process.execPath, [MAIN, '--data', dataPath, '--port', '0'], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '24', EBB_BI_PASSWORD: 'secret', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${errors}`)))
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { msg, url } = JSON.parse(line) as { msg: string; url: string }
      if (msg === 'ready') resolve(url)
    })
  })
  return {
    url,
    dataPath,
    startMs: performance.now() - begin,
    process: child,
    ask: (sql, options) => ask(url, sql, options),
    async end(signal) {
      const from = performance.now()
      const gone = new Promise((resolve) => child.once('exit', resolve))
      if (child.exitCode !== null || child.signalCode !== null) return 0
      child.kill(signal)
      await gone
      return performance.now() - from
    },
  }
}

async function ask(url: string, sql: string | Buffer, options: AskOptions = {}): Promise<Answer> {
  const {
    user = 'default',
    password = user === 'bi' ? 'secret' : '',
    parameters = {},
    headers = {},
    method = 'POST',
  } = options
  const search = new URLSearchParams(parameters)
  if (method === 'GET') search.set('query', sql.toString())
  const response = await fetch(`${url}/?${search}`, {
    method,
    headers: { 'x-clickhouse-user': user, 'x-clickhouse-key': password, ...headers },
    body: method === 'GET' ? null : new Uint8Array(Buffer.from(sql)),
  })
  const text = await response.text()
  return {
    status: response.status,
    text,
    code: response.headers.get('x-clickhouse-exception-code'),
    headers: response.headers,
  }
}

/** A folder that goes with the test. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'ebb-clickhouse-test-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
