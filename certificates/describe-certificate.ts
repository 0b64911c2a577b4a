import type { Certificate, CertificateKind, Receipt } from '../schemas/certificate.ts'

/** A certificate in words, for one page. Plain text: `renderMarkdown` and `renderHtml` escape it. */
export interface CertificatePage {
  title: string
  lead: string
  facts: [name: string, value: string][]
  sections: { heading: string; note: string; rows: string[] }[]
}

const HEADS: Record<CertificateKind, { title: string; lead: string }> = {
  received: {
    title: 'Your request has arrived',
    lead: 'We have your request to erase your data, and have written it into a public log, so that we cannot deny it later. From now on we collect and use nothing more about you.',
  },
  certificate: {
    title: 'Your data is erased from our systems',
    lead: 'A reader that is not the eraser has looked into every place where we keep data, and found nothing of yours but what is listed here. Backup copies expire by the dates below; you will get a second certificate when the last one is gone.',
  },
  partial: {
    title: 'Your erasure is not complete yet',
    lead: 'Some of the places where we keep data did not answer: they are listed first, and may still hold something of yours. A reader that is not the eraser has looked into all the others and found nothing of yours there but what is listed here. We go on trying. When every place was reached, this certificate is withdrawn in the public log and another one takes its place, which also says when the last backup copy expires.',
  },
  closed: {
    title: 'Your erasure is complete',
    lead: 'All copies that had to expire are gone too, and that has been checked. Nothing of yours is left but what is listed here as kept.',
  },
  refusal: {
    title: 'Your request was refused',
    lead: 'We have not done what you asked for. The reason is below; you may complain to your data protection authority.',
  },
  supersession: {
    title: 'An earlier certificate is withdrawn',
    lead: 'What an earlier certificate says does not hold. A new one follows when it holds again.',
  },
  'key-retirement': {
    title: 'A signing key is retired',
    lead: 'Certificates that stand in the log after this statement and are signed with the retired key are not valid.',
  },
}

const METHODS: Record<Extract<Receipt, { outcome: 'erased' }>['method'], string> = {
  deleted: 'deleted',
  rewritten: 'deleted, and the files rewritten without it',
  'key-destroyed': 'made unreadable for ever: the only key to it was destroyed',
  expired: 'expired',
  'nothing-held': 'nothing was held there',
}

const REASONS = {
  'survivor-found': 'Data that should have been erased was found.',
  'restored-copy-found': 'Data that should have been erased came back out of a copy.',
  'issued-in-error': 'It was issued by mistake.',
  'hold-released': 'Data that had to be kept has now been erased too.',
  replaced: 'It named places that had not been reached. A newer certificate says what became of them.',
  rotation: 'A new key takes its place, as planned.',
  compromise: 'Somebody else may have used it.',
} as const

/** @param digest hex SHA-256 of the certificate's file. */
export function describeCertificate(certificate: Certificate, digest: string): CertificatePage {
  const { title, lead } = HEADS[certificate.kind]
  const facts: CertificatePage['facts'] = [
    ['Issued', `${readableTime(certificate.issuedAt)} by ${certificate.issuer}`],
    ...aboutRequest(certificate),
    ['Public log', certificate.origin],
    ['Fingerprint of this certificate', digest],
  ]
  const sections = [
    ...('receipts' in certificate ? describeStores(certificate) : []),
    howToCheck(certificate),
  ]
  return { title, lead, facts, sections }
}

function aboutRequest(certificate: Certificate): CertificatePage['facts'] {
  switch (certificate.kind) {
    case 'key-retirement':
      return [
        ['Retired key', certificate.retires],
        ['Reason', REASONS[certificate.reason]],
      ]
    case 'supersession':
      return [
        ['Request', certificate.request],
        ['Withdrawn certificate', certificate.supersedes],
        ['Reason', REASONS[certificate.reason]],
      ]
    case 'refusal':
      return [
        ['Request', `${certificate.request}, about ${certificate.app}`],
        ['Reason', `${certificate.reason} (${certificate.article})`],
      ]
    case 'received':
      return [
        ['Request', `${certificate.request}, about ${certificate.app}`],
        ['To be answered by', readableTime(certificate.deadline)],
      ]
    default:
      return [['Request', `${certificate.request}, about ${certificate.app}`]]
  }
}

function describeStores({
  receipts,
  horizons,
}: Extract<Certificate, { receipts: unknown }>): CertificatePage['sections'] {
  const rows = (outcome: Receipt['outcome']) =>
    receipts.filter((receipt) => receipt.outcome === outcome).map(describeReceipt)
  const copies = horizons.map(({ store, what, expiresBy, goneAt }) =>
    goneAt
      ? `${what} (${store}): found gone on ${readableTime(goneAt)}`
      : `${what} (${store}): gone by ${readableTime(expiresBy)}`,
  )
  return [
    { heading: 'Not reached yet', note: 'These places did not answer:', rows: rows('unreachable') },
    { heading: 'Still to be done', note: 'This comes last, for a reason:', rows: rows('waiting') },
    { heading: 'Erased', note: 'From each of these places:', rows: rows('erased') },
    {
      heading: 'Kept, because the law says so',
      note: 'This stays, and is used for nothing else:',
      rows: rows('retained'),
    },
    {
      heading: 'Copies that expire',
      note: 'Nobody can delete from these one by one; they end as a whole:',
      rows: copies,
    },
  ].filter((section) => section.rows.length > 0)
}

function describeReceipt(receipt: Receipt): string {
  const said =
    'assertedBy' in receipt && receipt.assertedBy
      ? `; this is the word of ${receipt.assertedBy}, which we cannot check`
      : ''
  switch (receipt.outcome) {
    case 'erased':
      return `${receipt.store}: ${METHODS[receipt.method]}, ${readableTime(receipt.at)}${said}`
    case 'retained':
      return `${receipt.store}: ${receipt.what}, until ${readableTime(receipt.until)} (${receipt.article})${said}`
    case 'unreachable':
      return `${receipt.store}: since ${readableTime(receipt.since)}${said}`
    case 'waiting':
      return `${receipt.store}: once ${receipt.after.join(', ')} is erased`
  }
}

function howToCheck(certificate: Certificate): CertificatePage['sections'][number] {
  const rows = [
    'This page is only a rendering. What counts is the file certificate.json with its .tlog-proof.',
    'ebb verify certificate.json --proof certificate.tlog-proof --key <our public keys>',
  ]
  if ('subject' in certificate) {
    rows.push(
      'Your name and address are not in it. With the salt that you were given, and only with it, you can show that it is about you: add --salt and what you asked by (--email, --user-id, --anonymous-id or --phone) to the command. Keep the salt: we have forgotten it.',
    )
  }
  return { heading: 'Check it yourself', note: 'No network and no trust in us is needed:', rows }
}

/** `21 November 2026, 09:00 UTC`. */
function readableTime(time: string): string {
  const date = new Date(time)
  const day = date.toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  })
  return `${day}, ${time.slice(11, 16)} UTC`
}
