import { type VerifyInput, verifyCertificate } from './verify-certificate.ts'

export interface FlipCount {
  flips: number
  /** How many mutants were still accepted: the promise is 0. */
  accepted: number
}

/**
 * Flips single bits of a certificate and of its proof, and counts the mutants that still verify. Every line of the
 * proof must be of a key in `input.keys`: lines of unknown keys are ignored by the specification, whatever they hold.
 * @param stride 1 flips every bit; n each n-th one.
 */
export function flipBits(input: VerifyInput, stride = 1): FlipCount {
  const inCertificate = flipEach(input.certificate, stride, (certificate) => ({ ...input, certificate }))
  const inProof = flipEach(input.proof, stride, (proof) => ({ ...input, proof }))
  return {
    flips: inCertificate.flips + inProof.flips,
    accepted: inCertificate.accepted + inProof.accepted,
  }
}

function flipEach(
  original: Uint8Array,
  stride: number,
  withMutant: (mutant: Uint8Array) => VerifyInput,
): FlipCount {
  const count = { flips: 0, accepted: 0 }
  const mutant = Uint8Array.from(original)
  for (let bit = 0; bit < mutant.length * 8; bit += stride) {
    const at = Math.floor(bit / 8)
    const mask = 1 << (bit % 8)
    mutant[at]! ^= mask
    count.flips++
    if (verifyCertificate(withMutant(mutant)).ok) count.accepted++
    mutant[at]! ^= mask
  }
  return count
}
