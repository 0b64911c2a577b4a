import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { PlatformErasureActivities } from '../../activities/create-erasure-activities.ts'
import { readRequest } from '../../postgres/privacy-requests.ts'
import { listCertificates } from '../../postgres/read-certificates.ts'
import { builtScript } from '../../runtime/project-root.ts'
import { type ClickHouseProxy, startClickHouseProxy } from '../clickhouse-proxy.ts'
import { type ErasurePlatform, startErasurePlatform } from '../erasure-platform.ts'
import { readAudit } from '../gateway-stage.ts'

// The whole platform, and a ClickHouse that goes away between the block and the erasure.
let clickhouse: ClickHouseProxy
let platform: ErasurePlatform
let folder: string
let goesAway = true

function losing(activities: PlatformErasureActivities): PlatformErasureActivities {
  return {
    ...activities,
    async eraseStore(input) {
      if (goesAway) clickhouse.down()
      return await activities.eraseStore(input)
    },
  }
}

const LIMIT_MS = 10 * 60_000
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-partial-'))
  clickhouse = await startClickHouseProxy(inject('engines').EBB_CLICKHOUSE_URL!)
  platform = await startErasurePlatform(
    {
      EBB_CLICKHOUSE_URL: clickhouse.url,
      EBB_VERIFIER_CLICKHOUSE_URL: clickhouse.url,
      EBB_ERASE_BATCH_S: '3',
      EBB_ERASE_DUE_S: '20',
    },
    losing,
  )
}, 2 * LIMIT_MS)
afterAll(async () => {
  clickhouse?.up()
  await platform?.close()
  await clickhouse?.close()
  await rm(folder, { recursive: true, force: true })
})

/** `ebb` as a process of its own. */
function ebb(...args: string[]): Promise<{ status: number | null; text: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [builtScript('cli/ebb.ts'), ...args], {
      env: { PATH: process.env.PATH, ...platform.stage.environment },
    })
    let text = ''
    const hear = (data: Buffer) => {
      text += String(data)
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.on('close', (status) => resolve({ status, text }))
  })
}

const submit = (userId: string) =>
  platform.office.actions.submit(
    { app: 'shop', identifiers: [{ label: 'userId', value: userId }], proof: 'email-code' },
    'test',
  )
const kinds = async (requestId: string) =>
  (await listCertificates(platform.office.postgres, requestId)).map(({ kind, superseded }) =>
    superseded ? `${kind}, withdrawn` : kind,
  )
const verify = (place: string) =>
  ebb(
    ...['verify', join(place, 'certificate.json'), '--key', join(place, 'keys.pub')],
    ...['--leaves', join(place, 'certificate.leaves')],
  )

describe('an erasure whose ClickHouse is away', () => {
  it(
    'gives an officer, and at the deadline everyone, a partial certificate; the whole one follows and withdraws it',
    async () => {
      const view = { type: 'page', name: 'Shop', properties: { path: '/catalogue/shoes' } }
      await platform.send('shop', [
        { ...view, userId: 'ada', messageId: randomUUID() },
        { ...view, userId: 'bob', messageId: randomUUID() },
      ])
      const [ada, bob] = await Promise.all([submit('ada'), submit('bob')])
      await platform.until(ada.requestId, ['stuck'], LIMIT_MS)
      await platform.until(bob.requestId, ['stuck'], LIMIT_MS)

      const place = join(folder, 'ada')
      // On a busy machine the look may take longer than the command waits: it is asked again, as it says.
      let asked = await ebb('erase', 'partial', ada.requestId, '--out', place)
      while (asked.text.includes('gives no answer yet')) {
        asked = await ebb('erase', 'partial', ada.requestId, '--out', place)
      }
      expect(asked.text).toMatch(
        /partial certificate at index \d+ of the log; not reached: clickhouse\/events/,
      )
      expect(asked.text).toContain('no certificate of a complete erasure')
      expect(asked.status).toBe(0)
      expect((await verify(place)).text).toContain('VALID  partial')
      const page = await readFile(join(place, 'certificate.md'), 'utf8')
      expect(page).toContain('# Your erasure is not complete yet')
      expect(page).toMatch(/## Not reached yet[\s\S]*clickhouse\/events: since/)
      // Nobody has asked for bob's: the deadline has.
      await expect.poll(() => kinds(bob.requestId), { timeout: LIMIT_MS }).toEqual(['received', 'partial'])
      expect(await readRequest(platform.office.postgres, bob.requestId)).toMatchObject({
        state: 'stuck',
        certifiedAt: null,
      })
      const audit = await readAudit(platform.office.postgres)
      expect(audit.findLast(({ action }) => action === 'erase partial')).toEqual({
        actor: expect.stringMatching(/^cli:/),
        action: 'erase partial',
        object: ada.requestId,
        outcome: 'done',
      })

      goesAway = false
      clickhouse.up()
      for (const { requestId } of [ada, bob]) {
        await platform.office.actions.retryStore(requestId).catch(() => undefined)
        await platform.until(requestId, ['certified', 'closed'], LIMIT_MS)
        expect((await kinds(requestId)).slice(0, 4)).toEqual([
          'received',
          'partial, withdrawn',
          'supersession',
          'certificate',
        ])
      }
      asked = await ebb('erase', 'partial', ada.requestId)
      expect(asked.status).toBe(1)
      expect(asked.text).toMatch(/not blocked on a store|has ended/)

      // Whoever still holds the partial one learns of it from the log.
      const old = join(folder, 'old')
      await cp(place, old, { recursive: true })
      expect((await ebb('log', 'prove', join(old, 'certificate.json'))).text).toMatch(/^leaf \d+ of \d+/)
      const stale = await verify(old)
      expect(stale.text).toMatch(/NOT VALID\s+superseded/)
      expect(stale.status).toBe(1)
      const whole = join(folder, 'whole')
      await ebb('erase', 'status', ada.requestId, '--out', whole)
      expect((await verify(whole)).text).toMatch(/VALID {2}(certificate|closed)/)
      expect((await ebb('log', 'audit')).text).toContain('the log holds')
    },
    3 * LIMIT_MS,
  )
})
