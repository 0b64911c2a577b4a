import { signCertificate } from '../../certificates/sign-certificate.ts'
import {
  type Body,
  certificateBody,
  certificateSigner,
  createReplacedPartial,
  createSampleLog,
  createSampleRequest,
  DATA_MAP,
  inputAlone,
  inputFor,
  nextCertificateSigner,
  partialBody,
  receivedBody,
  refusalBody,
  retirementBody,
  SALT,
  SUBJECT,
  strangerWitness,
  supersessionBody,
  testSigner,
  trustedKeys,
  waitingBody,
} from './sample-log.ts'
import type { Case } from './vector.ts'

const { log, first, firstIndex, closed, closedIndex } = createSampleRequest()
const proof = log.proof(firstIndex)
const closedProof = log.proof(closedIndex)
const sample = inputFor(first, proof)

export function validCases(): Case[] {
  const valid = (name: string, input: typeof sample): Case => ({ name, expect: 'ok', ...input })
  const signed = (body: Body) => signCertificate(body, certificateSigner)
  const received = signed(receivedBody)
  const retirement = signed(retirementBody(certificateSigner.key.fingerprint))
  const replaced = createReplacedPartial()
  const rotated = createSampleLog(3)
  const beforeRetirement = signed(certificateBody())
  const index = rotated.add(beforeRetirement)
  rotated.add(signCertificate(retirementBody(certificateSigner.key.fingerprint), nextCertificateSigner))
  const twice = signCertificate(certificateBody(), certificateSigner, [
    testSigner('certificate', 'future.example', 'a key that nobody knows yet'),
  ])
  return [
    valid('the first certificate of a request', { ...sample, subject: SUBJECT, dataMap: DATA_MAP }),
    valid(
      'its closing',
      inputFor(closed, closedProof, { subject: { ...SUBJECT, value: ' Ada@Example.COM ' } }),
    ),
    valid('by its user id', { ...sample, subject: { label: 'userId', value: 'u-1815', salt: SALT } }),
    valid('"received"', inputAlone(received)),
    valid('"partial"', inputAlone(signed(partialBody()))),
    valid('"partial" while the keys are still there', inputAlone(signed(waitingBody()))),
    valid(
      'the certificate that takes the place of a partial one',
      inputFor(replaced.whole, replaced.log.proof(replaced.wholeIndex), { leaves: replaced.log.entries }),
    ),
    valid('"refusal"', inputAlone(signed(refusalBody))),
    valid('"supersession"', inputAlone(signed(supersessionBody(first.digest)))),
    valid('"key-retirement", by the key itself', { ...inputAlone(retirement, 0), leaves: [retirement.leaf] }),
    valid('the only leaf of a log', inputAlone(received, 0)),
    valid('with all entries of the log', { ...sample, leaves: log.entries }),
    valid('with all later entries of the log', { ...sample, leaves: log.entries.slice(firstIndex + 1) }),
    valid('a head that extends the one already seen', {
      ...sample,
      known: { ...log.tree.head(7), consistency: log.tree.consistency(7) },
    }),
    valid('the same, shown by all entries', { ...sample, known: log.tree.head(7), leaves: log.entries }),
    valid('a key retired after this leaf', {
      ...inputFor(beforeRetirement, rotated.proof(index), { leaves: rotated.entries }),
      keys: { ...trustedKeys, certificates: [{ key: certificateSigner.key, retiredAt: index + 1 }] },
    }),
    valid('a second signature by a key that nobody knows', inputAlone(twice)),
    valid('no witness asked for', {
      ...inputFor(first, log.proof(firstIndex, undefined, { witnessed: false })),
      keys: { ...trustedKeys, witnesses: [] },
    }),
    valid('one of two witnesses is enough', {
      ...sample,
      keys: { ...trustedKeys, witnesses: [...trustedKeys.witnesses, strangerWitness.key] },
      witnessQuorum: 1,
    }),
  ]
}
