import { expect, test } from 'vitest'
import { missingVerifierUrls, VERIFIER_URLS, withoutVerifierUrls } from './verifier-urls.ts'

const OWN = {
  EBB_VERIFIER_POSTGRES_URL: 'x',
  EBB_VERIFIER_KEYRING_URL: 'x',
  EBB_VERIFIER_CLICKHOUSE_URL: 'x',
}

test('the verifier is told which of its own URLs it was not given', () => {
  expect(missingVerifierUrls(OWN)).toEqual([])
  expect(missingVerifierUrls({ ...OWN, EBB_VERIFIER_KEYRING_URL: '' })).toEqual(['EBB_VERIFIER_KEYRING_URL'])
  expect(missingVerifierUrls({ EBB_CLICKHOUSE_URL: 'x' })).toEqual(Object.values(VERIFIER_URLS))
})

test('others get none of them, and all else', () => {
  expect(withoutVerifierUrls({ ...OWN, EBB_POSTGRES_URL: 'y' })).toEqual({ EBB_POSTGRES_URL: 'y' })
})
