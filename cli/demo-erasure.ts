import { join } from 'node:path'
import type { ClickHouseClient } from '../clickhouse/client.ts'
import type { Config } from '../runtime/config.ts'
import { generateDay } from './generate-day.ts'
import { postBatch } from './post-batches.ts'
import { withPrivacyOffice } from './privacy-office.ts'
import { awaitAnswer } from './submit-erasure.ts'
import { runVerify } from './verify.ts'
import { writeCertificate } from './write-certificate.ts'

export interface DemoErasure {
  /** From the request to the first certificate. */
  erasureMs: number
  /** `ebb verify` says so, out of the files alone. */
  certificateVerified: boolean
  rowsErased: number
}

/** Short times, so that one erasure fits into a demo: collectors know of a block within three seconds. Nothing is left out. */
export const DEMO_TIMES = {
  EBB_LEASE_S: '3',
  EBB_ERASE_BATCH_S: '0',
} as const

/** A shopper of the generated day who bought something, by anonymous id: the same for the same seed. */
export function findShopper(day: string, sessions: number, seed: number): string {
  for (const { app, body } of generateDay({ day, sessions, seed })) {
    if (app !== 'shop') continue
    const purchase = body.batch.find((event) => event.event === 'purchase')
    if (purchase) return String(purchase.anonymousId)
  }
  throw new Error('nobody bought anything on the generated day')
}

/** Whom the shopper turns out to be. */
const USER_ID = 'ada'

/**
 * Lets a shopper sign in, so that the account leads to what was done before, erases the account's person by a saga, takes
 * the first certificate out, and verifies it offline.
 */
export async function demonstrateErasure(
  config: Config,
  shopper: string,
  deps: {
    clickhouse: ClickHouseClient
    folder: string
    collectorUrl: string
    writeKey: string
    say(line: string): void
  },
): Promise<DemoErasure> {
  const { clickhouse, say } = deps
  const traits = { email: 'ada@example.com', plan: 'gold' }
  const signIn = {
    type: 'identify',
    userId: USER_ID,
    anonymousId: shopper,
    messageId: 'demo-sign-in',
    traits,
  }
  await postBatch(deps.collectorUrl, deps.writeKey, { batch: [signIn], sentAt: new Date().toISOString() })
  say(
    `  ${shopper} signs in as ${USER_ID}: ebb erase --app shop --user-id ${USER_ID} --proof account-session`,
  )
  return await withPrivacyOffice(config, async (office) => {
    const before = await countStored(clickhouse)
    const startedAt = performance.now()
    const wish = { app: 'shop', identifiers: [{ label: 'userId' as const, value: USER_ID }] }
    const { requestId } = await office.audited(
      'erase submit',
      '-',
      () => office.actions.submit({ ...wish, proof: 'account-session' }, 'demo'),
      (submitted) => submitted.requestId,
    )
    const request = await awaitAnswer(office, requestId, (line) => say(`  ${line}`))
    const erasureMs = Math.round(performance.now() - startedAt)
    if (request.state !== 'certified' && request.state !== 'closed') {
      throw new Error(`the erasure ended as ${request.state}`)
    }
    const written = await writeCertificate(office, requestId, join(deps.folder, `erasure-${requestId}`))
    const rowsErased = before - (await countStored(clickhouse))
    say(`  ${rowsErased} rows are gone; leaf ${written.logIndex} of the log; files in ${written.folder}`)
    say(`\n  ${written.verifyCommand}\n`)
    const place = (name: string) => join(written.folder, name)
    const status = await runVerify(
      place('certificate.json'),
      { key: [place('keys.pub')], witnessKey: [], leaves: place('certificate.leaves') },
      (line) => say(`  ${line}`),
    )
    return { erasureMs, certificateVerified: status === 0, rowsErased }
  })
}

async function countStored(client: ClickHouseClient): Promise<number> {
  const result = await client.query({ query: 'SELECT count() FROM events_raw', format: 'JSONCompactEachRow' })
  return Number(((await result.json()) as [[string]])[0][0])
}
