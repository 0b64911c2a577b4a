import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readConfig } from './config.ts'

const source = readFileSync(new URL('config.ts', import.meta.url), 'utf8')
const guide = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8')
const keysOf = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1]!).sort()

describe('the configuration', () => {
  it('has every key in docs/configuration.md, and no other', () => {
    expect(keysOf(guide, /^\| `(EBB_\w+)`/gm)).toEqual(keysOf(source, /^ {2}(EBB_\w+): /gm))
  })

  it('is the one place of the product that reads a key', () => {
    const root = new URL('../', import.meta.url)
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
      (path) => /^(?!node_modules|tests|\.)[\w-]+\/.*\.ts$/.test(path) && !path.endsWith('.test.ts'),
    )
    expect(files.length).toBeGreaterThan(100)
    const reading = files.filter((path) =>
      /process\.env(\.|\[['"])EBB_(?!BOOTSTRAP_AT)/.test(readFileSync(new URL(path, root), 'utf8')),
    )
    // A drill's fault must work from a process's first line on, before anything is read; when the bootstrap began is no setting.
    expect(reading).toEqual(['runtime/fault.ts'])
  })

  it('names the key that is wrong and does not show its value', () => {
    const read = () => readConfig({ EBB_POSTGRES_URL: 'secret-no-url', EBB_COLLECTOR_PORT: '70000' })
    expect(read).toThrow(/EBB_POSTGRES_URL.*EBB_COLLECTOR_PORT/)
    expect(read).not.toThrow(/secret/)
  })

  it("takes the verifier's own credentials for the verifier, and everyone's where it has none", () => {
    const everyones = { EBB_S3_ACCESS_KEY: 'all', EBB_S3_SECRET_KEY: 'of all' }
    const own = {
      EBB_VERIFIER_S3_ACCESS_KEY: 'own',
      EBB_VERIFIER_S3_SECRET_KEY: 'own secret',
      EBB_VERIFIER_AWS_ACCESS_KEY_ID: 'id',
      EBB_VERIFIER_AWS_SECRET_ACCESS_KEY: 'id secret',
    }
    const { s3, verifier } = readConfig({ ...everyones, ...own })
    expect(s3).toMatchObject({ accessKey: 'all', secretKey: 'of all' })
    expect(verifier.s3).toEqual({ ...s3, accessKey: 'own', secretKey: 'own secret' })
    expect(verifier.aws).toEqual({ accessKeyId: 'id', secretAccessKey: 'id secret' })
    const { verifier: without } = readConfig(everyones)
    expect(without.s3).toEqual(s3)
    expect(without.aws).toBeUndefined()
  })

  it('lets no policy be written for everybody', () => {
    for (const everybody of ['*', 'arn:aws:iam::*:root'])
      expect(() => readConfig({ EBB_VERIFIER_S3_PRINCIPAL: everybody })).toThrow(/EBB_VERIFIER_S3_PRINCIPAL/)
    const own = 'arn:aws:iam::123456789012:role/verifier'
    expect(readConfig({ EBB_VERIFIER_S3_PRINCIPAL: own }).verifier.s3Principal).toBe(own)
  })

  it('does not mix half of a pair with half of another', () => {
    expect(() => readConfig({ EBB_VERIFIER_S3_ACCESS_KEY: 'own' })).toThrow(/EBB_VERIFIER_S3_SECRET_KEY/)
    expect(() => readConfig({ EBB_VERIFIER_AWS_SECRET_ACCESS_KEY: 'own' })).toThrow(
      /EBB_VERIFIER_AWS_ACCESS_KEY_ID/,
    )
  })

  it('gives the analysts a database of their own beside each', () => {
    expect(readConfig({}).clickhouse.biDatabase).toBe('bi')
    expect(readConfig({ EBB_CLICKHOUSE_DATABASE: 'stage' }).clickhouse.biDatabase).toBe('bi_stage')
  })
})
