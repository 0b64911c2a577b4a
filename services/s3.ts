import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type EngineContext, parseAddress, requireReachable, type StartedEngine } from './engine.ts'
import { findGoTool } from './go-tool.ts'
import { superviseProcess } from './supervise-process.ts'

const PREFERRED_PORT = 7070
const ACCESS_KEY = 'ebb'
const SECRET_KEY = 'ebb-development'
const VERIFIER_ACCOUNT = 'ebb_verifier'

/**
 * versitygw over `<home>/s3/data`, with versioning and object lock; the verifier's account gets a new secret at each start. What it
 * may do is the buckets' to say (s3/verifier-policy.ts).
 */
export async function startS3(context: EngineContext): Promise<StartedEngine> {
  const accessKey = context.environment.EBB_S3_ACCESS_KEY || ACCESS_KEY
  const secretKey = context.environment.EBB_S3_SECRET_KEY || SECRET_KEY
  const keys = { EBB_S3_ACCESS_KEY: accessKey, EBB_S3_SECRET_KEY: secretKey }
  const given = context.environment.EBB_S3_ENDPOINT
  if (given) {
    const { host, port } = parseAddress(given, PREFERRED_PORT)
    await requireReachable('EBB_S3_ENDPOINT', host, port)
    return { environment: { EBB_S3_ENDPOINT: given, ...keys }, process: null }
  }
  const versitygw = await findGoTool(
    {
      name: 'versitygw',
      version: '1.8.0',
      module: 'github.com/versity/versitygw/cmd/versitygw',
      takes: 'about 2 minutes',
      neededFor: 'The S3 server',
      environmentKey: 'EBB_S3_ENDPOINT',
    },
    context,
  )
  const port = await context.ports.take(PREFERRED_PORT)
  const data = join(context.home, 's3', 'data')
  const versions = join(context.home, 's3', 'versions')
  await mkdir(data, { recursive: true })
  await mkdir(versions, { recursive: true })
  const accounts = join(context.home, 's3', 'accounts')
  const verifierSecret = randomBytes(16).toString('hex')
  await writeAccounts(accounts, verifierSecret)
  const child = await superviseProcess(context.home, {
    name: 's3',
    command: versitygw,
    args: [
      ...['--port', `127.0.0.1:${port}`, '--quiet', '--health', '/health', '--iam-dir', accounts],
      ...['posix', '--versioning-dir', versions, data],
    ],
    // Keys by the environment: a command line can be read by every user of the machine.
    environment: { ...context.environment, ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
    isReady: async () => (await fetch(`http://127.0.0.1:${port}/health`)).ok,
    report: context.report,
    stopTimeoutMs: 5_000,
  })
  return {
    environment: {
      EBB_S3_ENDPOINT: `http://127.0.0.1:${port}`,
      ...keys,
      EBB_VERIFIER_S3_ACCESS_KEY: VERIFIER_ACCOUNT,
      EBB_VERIFIER_S3_SECRET_KEY: verifierSecret,
      EBB_VERIFIER_S3_PRINCIPAL: VERIFIER_ACCOUNT,
    },
    process: child,
  }
}

/**
 * The accounts beside the root one, in the file that versitygw reads them from (it creates users.json itself, where there is none).
 * Written before it starts, nobody has to ask a running server for them, and no secret goes by a command line.
 */
async function writeAccounts(folder: string, secret: string): Promise<void> {
  const account = { access: VERIFIER_ACCOUNT, secret, role: 'user' }
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(
    join(folder, 'users.json'),
    JSON.stringify({ accessAccounts: { [VERIFIER_ACCOUNT]: account } }),
    { mode: 0o600 },
  )
}
