import { type VerifyInput, verifyCertificate } from './verify-certificate.ts'

export interface FlipCount {
  flips: number
  /** How many mutants were still accepted: the promise is 0. */
  accepted: number
}

export interface WhichBits {
  stride: number
  first: number
}

/**
 * Flips single bits of a certificate and of its proof, and counts the mutants that still verify. Every line of the
 * proof must be of a key in `input.keys`: lines of unknown keys are ignored by the specification, whatever they hold.
 * @param which every bit by default; else each `stride`-th one from `first` on.
 */
export function flipBits(input: VerifyInput, which: Partial<WhichBits> = {}): FlipCount {
  const bits = { stride: 1, first: 0, ...which }
  const inCertificate = flipEach(input.certificate, bits, (certificate) => ({ ...input, certificate }))
  const inProof = flipEach(input.proof, bits, (proof) => ({ ...input, proof }))
  return {
    flips: inCertificate.flips + inProof.flips,
    accepted: inCertificate.accepted + inProof.accepted,
  }
}

function flipEach(
  original: Uint8Array,
  { stride, first }: WhichBits,
  withMutant: (mutant: Uint8Array) => VerifyInput,
): FlipCount {
  const count = { flips: 0, accepted: 0 }
  const mutant = Uint8Array.from(original)
  for (let bit = first; bit < mutant.length * 8; bit += stride) {
    const at = Math.floor(bit / 8)
    const mask = 1 << (bit % 8)
    mutant[at]! ^= mask
    count.flips++
    if (verifyCertificate(withMutant(mutant)).ok) count.accepted++
    mutant[at]! ^= mask
  }
  return count
}
