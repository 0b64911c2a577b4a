import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { answerFor, GATEWAY_ERROR_CODES, gatewayError } from '../../gateway/error.ts'
import { GdprMonth, RequestDetail, RequestList, SubmittedRequest } from '../../schemas/privacy-api.ts'
import { createGatewayStage, type GatewayStage } from '../gateway-stage.ts'

const guide = readFileSync(new URL('../../docs/gateway.md', import.meta.url), 'utf8')
const [submitting, reading] = [...guide.matchAll(/```sh curl\n([\s\S]*?)```/g)].map((match) => match[1]!)

let gateway: GatewayStage
let token = ''
beforeAll(async () => {
  gateway = await createGatewayStage()
  token = (await gateway.token({ role: 'compliance' })).token
})
afterAll(() => gateway?.close())

/** Runs a block as a reader would: pasted into a shell. @returns what each curl printed. */
function paste(block: string, environment: Record<string, string>): Promise<string[]> {
  const script = block.replace(/^curl /gm, 'printf "\\036"; curl ')
  const env = { PATH: process.env.PATH, GATEWAY: gateway.url, TOKEN: token, ...environment }
  return new Promise((resolve, reject) => {
    execFile('sh', ['-euc', script], { env }, (error, stdout) =>
      error ? reject(error) : resolve(stdout.split('\u001e').slice(1)),
    )
  })
}

describe('docs/gateway.md', () => {
  test('its calls run as they stand, and give what the schemas say', async () => {
    const [submitted] = await paste(submitting!, {})
    const { requestId } = SubmittedRequest.parse(JSON.parse(submitted!))
    const month = new Date().toISOString().slice(0, 7)
    const [read, list, salt, report, api] = await paste(reading!, { ID: requestId, MONTH: month })
    expect(RequestDetail.parse(JSON.parse(read!))).toMatchObject({
      requestId,
      app: 'shop',
      state: 'received',
    })
    expect(RequestList.parse(JSON.parse(list!)).requests.map((one) => one.requestId)).toEqual([requestId])
    expect(salt).toMatch(/^[0-9a-f]{64}\n$/)
    expect(GdprMonth.parse(JSON.parse(report!))).toMatchObject({ received: 1, processed: 0, pending: 1 })
    expect(JSON.parse(api!)).toMatchObject({ openapi: '3.1.0' })
  })

  test('it has every error code with its status and text, and no other', () => {
    const rows = guide.match(/^\| \d{3} \| .*$/gm)
    const expected = GATEWAY_ERROR_CODES.map((code) => {
      const { status, body } = answerFor(gatewayError(code))
      return `| ${status} | \`${code}\` | ${(JSON.parse(body) as { message: string }).message} |`
    })
    expect(rows).toEqual(expected)
  })
})
