/** Everyone's credentials, each with the key of the verifier's own. */
export const VERIFIER_CREDENTIALS = {
  EBB_POSTGRES_URL: 'EBB_VERIFIER_POSTGRES_URL',
  EBB_KEYRING_URL: 'EBB_VERIFIER_KEYRING_URL',
  EBB_CLICKHOUSE_URL: 'EBB_VERIFIER_CLICKHOUSE_URL',
  EBB_S3_ACCESS_KEY: 'EBB_VERIFIER_S3_ACCESS_KEY',
  EBB_S3_SECRET_KEY: 'EBB_VERIFIER_S3_SECRET_KEY',
  AWS_ACCESS_KEY_ID: 'EBB_VERIFIER_AWS_ACCESS_KEY_ID',
  AWS_SECRET_ACCESS_KEY: 'EBB_VERIFIER_AWS_SECRET_ACCESS_KEY',
} as const

type Environment = Record<string, string | undefined>

/** What other processes and the verbs of `ebb` get. The verifier's folder stays: `ebb log` reads its public keys there. */
export function withoutVerifierCredentials<Value>(environment: Record<string, Value>): Record<string, Value> {
  const left = { ...environment }
  for (const own of Object.values(VERIFIER_CREDENTIALS)) delete left[own]
  return left
}

/** The verifier's credentials that are not given: in the place of each it uses everyone's, with the rights that those have. */
export function missingVerifierCredentials(environment: Environment): string[] {
  return Object.entries(VERIFIER_CREDENTIALS).flatMap(([key, own]) =>
    environment[own] || (key.startsWith('AWS_') && !asksKms(environment)) ? [] : own,
  )
}

/** With keys of the environment, that is: the role of a machine may be the verifier's own. */
function asksKms({ EBB_KEY_PROVIDER, AWS_ACCESS_KEY_ID }: Environment): boolean {
  return Boolean(EBB_KEY_PROVIDER?.startsWith('kms:') && AWS_ACCESS_KEY_ID)
}
