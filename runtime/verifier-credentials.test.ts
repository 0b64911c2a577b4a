import { expect, test } from 'vitest'
import {
  missingVerifierCredentials,
  VERIFIER_CREDENTIALS,
  withoutVerifierCredentials,
} from './verifier-credentials.ts'

const OWN = Object.fromEntries(Object.values(VERIFIER_CREDENTIALS).map((own) => [own, 'x']))
const OF_AWS = ['EBB_VERIFIER_AWS_ACCESS_KEY_ID', 'EBB_VERIFIER_AWS_SECRET_ACCESS_KEY']

test('the verifier is told which of its own credentials it was not given', () => {
  expect(missingVerifierCredentials(OWN)).toEqual([])
  expect(missingVerifierCredentials({ ...OWN, EBB_VERIFIER_KEYRING_URL: '' })).toEqual([
    'EBB_VERIFIER_KEYRING_URL',
  ])
  expect(missingVerifierCredentials({ EBB_CLICKHOUSE_URL: 'x', EBB_S3_ACCESS_KEY: 'x' })).toEqual([
    'EBB_VERIFIER_POSTGRES_URL',
    'EBB_VERIFIER_KEYRING_URL',
    'EBB_VERIFIER_CLICKHOUSE_URL',
    'EBB_VERIFIER_S3_ACCESS_KEY',
    'EBB_VERIFIER_S3_SECRET_KEY',
  ])
})

test('keys of AWS it misses where it asks a KMS with those of everyone', () => {
  const own = Object.fromEntries(Object.entries(OWN).filter(([key]) => !OF_AWS.includes(key)))
  const kms = { ...own, EBB_KEY_PROVIDER: 'kms:eu-central-1' }
  expect(missingVerifierCredentials({ ...kms, AWS_ACCESS_KEY_ID: 'everyones' })).toEqual(OF_AWS)
  expect(missingVerifierCredentials(kms), "a machine's role").toEqual([])
  expect(missingVerifierCredentials({ ...own, AWS_ACCESS_KEY_ID: 'everyones' }), 'a key file').toEqual([])
})

test('others get none of them, and all else', () => {
  expect(withoutVerifierCredentials({ ...OWN, EBB_POSTGRES_URL: 'y' })).toEqual({ EBB_POSTGRES_URL: 'y' })
})
