import { canonicalJson } from '../../certificates/canonical-json.ts'
import { hashLeaf } from '../../certificates/merkle-proof.ts'
import { createMerkleTree } from '../../certificates/merkle-tree.ts'
import { signCertificate } from '../../certificates/sign-certificate.ts'
import { formatTlogProof } from '../../certificates/tlog-proof.ts'
import type { Certificate } from '../../schemas/certificate.ts'
import {
  at,
  certificateBody,
  certificateSigner,
  closedBody,
  createReplacedPartial,
  createSampleLog,
  createSampleRequest,
  editText,
  fixedBytes,
  inputAlone,
  inputFor,
  logSigner,
  nextCertificateSigner,
  ORIGIN,
  partialBody,
  receivedBody,
  retirementBody,
  START_SECONDS,
  SUBJECT,
  signUnchecked,
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

/** The same bytes in other base64: the last character before the padding has bits that mean nothing. */
function loosen(base64: string): string {
  const body = base64.replace(/=+$/, '')
  return (
    body.slice(0, -1) + String.fromCharCode(body.charCodeAt(body.length - 1) + 1) + base64.slice(body.length)
  )
}

export function invalidCases(): Case[] {
  return [...formCases(), ...contentCases(), ...keyCases(), ...logCases(), ...historyCases()]
}

const invalid = (expect: Case['expect'], name: string, more: Partial<typeof sample>): Case => ({
  name,
  expect,
  ...sample,
  ...more,
})

function formCases(): Case[] {
  const { bytes } = first
  const certificate = (from: string, to: string) => ({ certificate: editText(bytes, from, to) })
  const withProof = (from: string, to: string) => ({ proof: editText(proof, from, to) })
  const text = proof.toString()
  const firstHash = text.split('\n')[2]!
  const loose = loosen(firstHash)
  return [
    invalid('not-canonical', 'a newline at the end of the certificate', {
      certificate: Buffer.concat([bytes, Buffer.from('\n')]),
    }),
    invalid('not-canonical', 'a space in the certificate', certificate('{"app":', '{ "app":')),
    invalid('not-canonical', 'a duplicate key', certificate('{"app":"shop"', '{"app":"shop","app":"shop"')),
    invalid('schema', 'an undeclared field', certificate('{"app":', '{"aaa":1,"app":')),
    invalid('schema', 'an unknown version', certificate('"version":1}', '"version":2}')),
    invalid('proof-malformed', 'an empty proof', { proof: Buffer.alloc(0) }),
    invalid('proof-malformed', 'an unauthenticated extra line', withProof('index', 'extra AAAA\nindex')),
    invalid('not-canonical-base64', 'a duplicate index line', withProof('index 6', 'index 6\nindex 6')),
    invalid('checkpoint-malformed', 'an index with a leading zero', withProof('index 6', 'index 06')),
    invalid('not-canonical-base64', 'non-canonical base64 in a hash', withProof(firstHash, loose)),
    invalid('not-canonical-base64', 'non-canonical base64 in a signature line', withProof('==\n', '\n')),
    invalid('proof-malformed', 'a proof cut off before its checkpoint', {
      proof: Buffer.from(text.split('\n\n')[0]!),
    }),
    invalid('note-malformed', 'a proof cut off in a signature', { proof: proof.subarray(0, -10) }),
    invalid(
      'note-malformed',
      'a carriage return in the checkpoint',
      withProof(`${ORIGIN}\n`, `${ORIGIN}\r\n`),
    ),
    invalid(
      'checkpoint-malformed',
      'a size with a sign',
      withProof(`\n${log.tree.size()}\n`, `\n+${log.tree.size()}\n`),
    ),
  ]
}

function contentCases(): Case[] {
  const body = certificateBody()
  const unchecked = (expect: Case['expect'], name: string, changed: Record<string, unknown>): Case =>
    invalid(expect, name, inputAlone(signUnchecked({ ...body, ...changed })))
  const unreachable = partialBody().receipts.slice(-1)
  const open = { ...closedBody(first.digest), horizons: body.horizons }
  return [
    unchecked('data', 'a certificate that leaves a store out of reach', {
      receipts: [...body.receipts, ...unreachable],
    }),
    unchecked('data', '"partial" though every store was reached', { kind: 'partial' }),
    unchecked('data', '"closed" while copies are still to expire', open),
    unchecked('data', '"closed" that follows nothing', { ...closedBody(first.digest), previous: null }),
    unchecked('data', 'two receipts of one store', { receipts: [...body.receipts, body.receipts[0]] }),
    unchecked('data', 'erased after it was certified', { issuedAt: at(299) }),
    unchecked('data', 'retained until a day already past', { issuedAt: '2036-01-02T00:00:00Z' }),
    unchecked('data', 'unreachable from a day to come', {
      ...partialBody(),
      issuedAt: at(59),
      receipts: unreachable,
    }),
    unchecked('data', 'waiting for a store that was reached', {
      ...waitingBody(),
      receipts: [
        ...partialBody().receipts,
        { outcome: 'waiting', store: 'keyring', after: ['clickhouse/events_raw'] },
      ],
    }),
    unchecked('data', 'a certificate that has something still to do', {
      receipts: [...body.receipts, { outcome: 'waiting', store: 'keyring', after: ['processor/ads'] }],
    }),
    unchecked('schema', 'waiting for nothing', {
      ...waitingBody(),
      receipts: [...partialBody().receipts, { outcome: 'waiting', store: 'keyring', after: [] }],
    }),
    unchecked('data', '"closed" while a store was never reached', {
      ...closedBody(first.digest),
      receipts: [...body.receipts, ...unreachable],
    }),
    unchecked('data', 'a copy found gone after it was certified', {
      horizons: [{ ...body.horizons[0], goneAt: at(601) }],
    }),
    unchecked('data', 'two equal commitments', { subject: [body.subject[0], body.subject[0]] }),
    invalid(
      'data',
      'a deadline before the request',
      inputAlone(signUnchecked({ ...receivedBody, deadline: at(-1) })),
    ),
    invalid(
      'data',
      '"received" that follows something',
      inputAlone(signUnchecked({ ...receivedBody, previous: first.digest })),
    ),
    unchecked('schema', 'no receipts at all', { receipts: [] }),
    unchecked('schema', 'an impossible day', { issuedAt: '2026-02-30T00:00:00Z' }),
    unchecked('issued-in-future', 'issued after the head of its log', { issuedAt: at(21 * 86_400) }),
    invalid('subject-mismatch', 'another subject', { subject: { ...SUBJECT, value: 'bob@example.com' } }),
    invalid('subject-mismatch', 'another salt', { subject: { ...SUBJECT, salt: fixedBytes('other salt') } }),
    invalid('subject-mismatch', 'an email given as a user id', { subject: { ...SUBJECT, label: 'userId' } }),
    invalid('data-map-mismatch', 'another data map', { dataMap: fixedBytes('other map').toString('hex') }),
  ]
}

function keyCases(): Case[] {
  const impostor = testSigner('certificate', certificateSigner.key.name, 'impostor')
  const forged = signCertificate(certificateBody(), impostor)
  const logImpostor = testSigner('log', logSigner.key.name, 'log impostor')
  const [signature] = first.certificate.signatures
  const late = createSampleLog(3)
  const retired = late.add(
    signCertificate(retirementBody(certificateSigner.key.fingerprint), nextCertificateSigner),
  )
  const backdated = signCertificate(certificateBody(), certificateSigner)
  const backdatedIndex = late.add(backdated)
  const backdatedProof = late.proof(backdatedIndex)
  const keys = { ...trustedKeys, certificates: [{ key: certificateSigner.key, retiredAt: retired }] }
  const swapped = editText(first.bytes, signature!.value, closed.certificate.signatures[0]!.value)
  const withSignatures = (...signatures: Certificate['signatures']) =>
    Buffer.from(canonicalJson({ ...first.certificate, signatures }))
  const renamed = withSignatures({ ...signature!, key: impostor.key.fingerprint })
  return [
    invalid('unknown-key', 'a key replaced in certificate and log', inputAlone(forged)),
    invalid('bad-signature', 'the signature of another certificate', { certificate: swapped }),
    invalid('bad-signature', 'the named key has not signed', { certificate: renamed }),
    invalid('data', 'two signatures of one key', { certificate: withSignatures(signature!, signature!) }),
    invalid('not-canonical-base64', 'a signature in base64 with loose bits', {
      certificate: withSignatures({ ...signature!, value: loosen(signature!.value) }),
    }),
    invalid('bad-signature', 'one letter of the contents changed', {
      certificate: editText(first.bytes, '"shop"', '"shoq"'),
    }),
    invalid('checkpoint-bad-signature', "the log's signature of another head", {
      proof: editText(proof, log.checkpoint().split('\n')[4]!, log.checkpoint(8).split('\n')[4]!),
    }),
    invalid('checkpoint-bad-signature', "the log's date of another head", {
      proof: editText(proof, log.checkpoint().split('\n')[5]!, log.checkpoint(8).split('\n')[5]!),
    }),
    invalid('checkpoint-unsigned', "the log's key replaced by another of its name", {
      keys: { ...trustedKeys, logs: [logImpostor.key] },
    }),
    invalid('checkpoint-unsigned', 'a checkpoint signed by an impostor of the log', {
      proof: log.proof(firstIndex, undefined, { signer: logImpostor, witnessed: false }),
    }),
    invalid(
      'key-retired',
      'a retired key that backdates, found in the log',
      inputFor(backdated, backdatedProof, { leaves: late.entries }),
    ),
    invalid('key-retired', 'a retired key that backdates, known from the key file', {
      ...inputFor(backdated, backdatedProof),
      keys,
    }),
  ]
}

function logCases(): Case[] {
  const other = testSigner('log', 'other.example/log', 'other log')
  const fork = createSampleLog(log.tree.size() - 1, 'fork ')
  const forkIndex = fork.add(first)
  const dropped = createSampleLog()
  const reordered = createMerkleTree([...log.entries].reverse().map(hashLeaf))
  const checkpoint = log.checkpoint()
  const hashes = log.tree.inclusion(firstIndex)
  const say = (changed: Partial<Parameters<typeof formatTlogProof>[0]>) => ({
    proof: Buffer.from(formatTlogProof({ index: firstIndex, hashes, checkpoint, ...changed })),
  })
  for (const entry of log.entries.filter((_, index) => index !== firstIndex))
    dropped.tree.append(hashLeaf(entry))
  const undated = proof
    .toString()
    .split('\n')
    .filter((_, at, lines) => at !== lines.length - 3)
    .join('\n')
  return [
    invalid('wrong-origin', 'a proof out of another log', {
      proof: log.proof(firstIndex, undefined, { signer: other, witnessed: false }),
      keys: { ...trustedKeys, logs: [logSigner.key, other.key] },
    }),
    invalid('wrong-origin', 'no key of its log', { keys: { ...trustedKeys, logs: [other.key] } }),
    invalid('not-included', 'a log that dropped it', say({ checkpoint: dropped.checkpoint() })),
    invalid('not-included', 'a log in another order', say({ hashes: reordered.inclusion(firstIndex) })),
    invalid('not-included', 'the index of a neighbour', say({ index: firstIndex + 1 })),
    invalid('not-included', 'a truncated proof', say({ hashes: hashes.slice(0, -1) })),
    invalid('not-included', 'a proof with a hash too many', say({ hashes: [...hashes, hashes[0]!] })),
    invalid('not-included', 'an index beyond the log', say({ index: log.tree.size() })),
    invalid('not-included', 'the proof of another certificate', { proof: closedProof }),
    invalid('checkpoint-unsigned', 'a head that the log has not dated', { proof: Buffer.from(undated) }),
    invalid('stale-checkpoint', 'a log rolled back behind the head already seen', {
      proof: log.proof(firstIndex, 8),
      known: log.tree.head(),
    }),
    invalid('stale-checkpoint', 'a head older than asked for', {
      freshAfterSeconds: START_SECONDS + 21 * 86_400,
    }),
    invalid('inconsistent', 'a split view: another head of the size already seen', {
      ...inputFor(first, fork.proof(forkIndex)),
      known: log.tree.head(),
    }),
    invalid('inconsistent', 'a fork that grew beyond the head already seen', {
      ...inputFor(first, fork.proof(forkIndex)),
      known: { ...log.tree.head(7), consistency: fork.tree.consistency(7) },
    }),
    invalid('inconsistent', 'nothing that shows a larger head to extend the one seen', {
      known: log.tree.head(7),
    }),
    invalid('witness-missing', 'a witness that has not cosigned', {
      proof: log.proof(firstIndex, undefined, { witnessed: false }),
    }),
    invalid('witness-missing', 'one witness listed twice is one witness', {
      keys: { ...trustedKeys, witnesses: [...trustedKeys.witnesses, ...trustedKeys.witnesses] },
      witnessQuorum: 2,
    }),
    invalid('witness-bad-signature', "a witness's signature of another head", {
      proof: Buffer.from(
        proof.toString().replace(/— witness\S* \S+\n$/, log.checkpoint(8).split('\n').at(-2)!.concat('\n')),
      ),
    }),
    invalid('note-malformed', 'two signature lines of the log', {
      proof: Buffer.from(proof.toString().replace(/(— log\.\S+ \S+\n)/, '$1$1')),
    }),
  ]
}

function historyCases(): Case[] {
  const superseded = createSampleRequest()
  superseded.log.add(signCertificate(supersessionBody(superseded.first.digest), certificateSigner))
  const again = createSampleRequest()
  again.log.add(again.first)
  const broken = createSampleRequest()
  broken.log.entries.push(Buffer.from('{}'))
  broken.log.tree.append(hashLeaf(Buffer.from('{}')))
  const replaced = createReplacedPartial()
  const later = log.entries.slice(firstIndex + 1)
  const ask = (world: typeof superseded, leaves: Buffer[], which: 'first' | 'closed' = 'first') =>
    inputFor(world[which], world.log.proof(which === 'first' ? world.firstIndex : world.closedIndex), {
      leaves,
    })
  const { entries } = superseded.log
  return [
    invalid('superseded', 'a certificate withdrawn later', ask(superseded, entries.slice(firstIndex + 1))),
    invalid('superseded', 'the same, with all entries', ask(superseded, entries)),
    invalid(
      'superseded',
      'a partial certificate that another one has replaced',
      inputFor(replaced.partial, replaced.log.proof(replaced.partialIndex), {
        leaves: replaced.log.entries.slice(replaced.partialIndex + 1),
      }),
    ),
    invalid(
      'superseded',
      '"closed" whose first certificate was withdrawn',
      ask(superseded, entries, 'closed'),
    ),
    invalid('leaves-mismatch', 'the withdrawal left out', ask(superseded, entries.slice(firstIndex + 1, -1))),
    invalid(
      'leaves-mismatch',
      'the withdrawal replaced',
      ask(superseded, [...entries.slice(firstIndex + 1, -1), log.entries[0]!]),
    ),
    invalid('leaves-mismatch', 'later entries in another order', {
      leaves: later.with(0, later[1]!).with(1, later[0]!),
    }),
    invalid('leaves-mismatch', 'all entries, one of them changed', {
      leaves: log.entries.with(0, log.entries[1]!),
    }),
    invalid('leaves-mismatch', 'no entries though there are later ones', { leaves: [] }),
    invalid('leaves-mismatch', 'all entries, its own replaced', {
      leaves: log.entries.with(firstIndex, log.entries[0]!),
    }),
    invalid('leaves-mismatch', 'a later entry too many', { leaves: [...later, log.entries[0]!] }),
    invalid('leaf-malformed', 'an entry that is not a leaf of ours', ask(broken, broken.log.entries)),
    invalid('duplicate-leaf', 'one certificate at two indexes', ask(again, again.log.entries)),
  ]
}
