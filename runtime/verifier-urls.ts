/** Keys of stores, each with the verifier's own one. */
export const VERIFIER_URLS = {
  EBB_POSTGRES_URL: 'EBB_VERIFIER_POSTGRES_URL',
  EBB_KEYRING_URL: 'EBB_VERIFIER_KEYRING_URL',
  EBB_CLICKHOUSE_URL: 'EBB_VERIFIER_CLICKHOUSE_URL',
} as const

/** What other processes and the verbs of `ebb` get. The verifier's folder stays: `ebb log` reads its public keys there. */
export function withoutVerifierUrls<Value>(environment: Record<string, Value>): Record<string, Value> {
  const left = { ...environment }
  for (const own of Object.values(VERIFIER_URLS)) delete left[own]
  return left
}

/** The verifier's URLs that are not given: in the place of each it uses everyone's, with the rights that those have. */
export function missingVerifierUrls(environment: Record<string, string | undefined>): string[] {
  return Object.values(VERIFIER_URLS).filter((own) => !environment[own])
}
