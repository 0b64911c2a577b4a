import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { readConfig } from '../runtime/config.ts'
import { openKeyProvider, openKeyReader } from './open-key-provider.ts'

/** Access key ids that calls were signed with. */
const ids: string[] = []
const kms = createServer((request, response) => {
  ids.push(/Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? 'none')
  response.end('{"Aliases":[]}')
})
afterEach(() => {
  vi.unstubAllEnvs()
  kms.close()
})

test("the verifier asks a KMS by its own credentials, and others by everyone's", async () => {
  await new Promise<void>((resolve) => kms.listen(0, '127.0.0.1', resolve))
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'everyones')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
  const environment = {
    EBB_KEY_PROVIDER: 'kms:eu-central-1',
    EBB_KMS_ENDPOINT: `http://127.0.0.1:${(kms.address() as AddressInfo).port}`,
  }
  const own = { EBB_VERIFIER_AWS_ACCESS_KEY_ID: 'own', EBB_VERIFIER_AWS_SECRET_ACCESS_KEY: 'secret' }
  const config = readConfig({ ...environment, ...own })
  await (await openKeyReader(config)).listKeys()
  await (await openKeyProvider(config)).listKeys()
  await (await openKeyReader(readConfig(environment))).listKeys()
  expect(ids).toEqual(['own', 'everyones', 'everyones'])
})
