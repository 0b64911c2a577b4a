import { expect, test } from 'vitest'
import {
  certificateBody,
  certificateSigner,
  closedBody,
  fixedBytes,
  partialBody,
  receivedBody,
  refusalBody,
  retirementBody,
  supersessionBody,
  waitingBody,
} from '../tests/vectors/sample-log.ts'
import { describeCertificate } from './describe-certificate.ts'
import { renderHtml, renderMarkdown } from './render-certificate.ts'
import { signCertificate } from './sign-certificate.ts'

const digest = fixedBytes('any').toString('hex')
const page = (body: Parameters<typeof signCertificate>[0]) => {
  const signed = signCertificate(body, certificateSigner)
  return describeCertificate(signed.certificate, signed.digest)
}

test('every kind has a page that names what happened, in both forms', () => {
  const bodies = [
    receivedBody,
    certificateBody(),
    partialBody(),
    closedBody(digest),
    refusalBody,
    supersessionBody(digest),
    retirementBody(digest),
  ]
  const titles = bodies.map((body) => {
    const described = page(body)
    expect(renderMarkdown(described)).toContain(`# ${described.title}`)
    expect(renderHtml(described)).toContain(`<h1>${described.title}</h1>`)
    return described.title
  })
  expect(new Set(titles).size).toBe(bodies.length)
})

test('what is kept stands on the page with its article and its end, and whose word is not checked', () => {
  const text = renderMarkdown(page(certificateBody()))
  expect(text).toContain(
    'postgres/invoices: invoices of 2025, until 1 January 2036, 00:00 UTC (GDPR Art. 17(3)(b))',
  )
  expect(text).toContain('the word of Mailer Inc, which we cannot check')
  expect(text).toContain('nightly backups (s3/ebb-backups): gone by 28 November 2026, 09:00 UTC')
})

test('a partial one names what was not reached before anything else, and never says that it is complete', () => {
  const described = page(waitingBody())
  expect(described.title).toBe('Your erasure is not complete yet')
  expect(described.sections[0]).toMatchObject({ heading: 'Not reached yet' })
  const text = renderMarkdown(described)
  expect(text).toContain('processor/ads: since 21 November 2026, 09:01 UTC')
  expect(text).toContain('keyring: once processor/ads is erased')
  expect(text).not.toMatch(/is erased from our systems|is complete\b/)
  expect(renderHtml(described)).toContain('may still hold something of yours')
})

test('a closing says when each copy was found gone', () => {
  expect(renderMarkdown(page(closedBody(digest)))).toContain(
    'nightly backups (s3/ebb-backups): found gone on 28 November',
  )
})

test('a text out of the certificate never becomes markup', () => {
  const reason = '<script>alert(1)</script> [x](http://evil) | *b* & "q"'
  const described = page({ ...refusalBody, reason } as typeof refusalBody)
  expect(renderHtml(described)).not.toMatch(/<script|"q"/)
  expect(renderMarkdown(described)).toContain(
    '\\<script\\>alert(1)\\</script\\> \\[x\\](http://evil) \\| \\*b\\* \\& "q"',
  )
})
