import type { CertificatePage } from './describe-certificate.ts'

/** The page as Markdown. Texts come from the certificate: none may become markup. */
export function renderMarkdown({ title, lead, facts, sections }: CertificatePage): string {
  const blocks = [
    `# ${escapeMarkdown(title)}`,
    escapeMarkdown(lead),
    ['| | |', '| --- | --- |', ...facts.map((fact) => `| ${fact.map(escapeMarkdown).join(' | ')} |`)].join(
      '\n',
    ),
    ...sections.flatMap(({ heading, note, rows }) => [
      `## ${escapeMarkdown(heading)}`,
      escapeMarkdown(note),
      rows.map((row) => `- ${escapeMarkdown(row)}`).join('\n'),
    ]),
  ]
  return `${blocks.join('\n\n')}\n`
}

/** The page as one HTML file that loads nothing and runs nothing. */
export function renderHtml({ title, lead, facts, sections }: CertificatePage): string {
  const parts = sections.map(
    ({ heading, note, rows }) =>
      `<h2>${escapeHtml(heading)}</h2>\n<p>${escapeHtml(note)}</p>\n<ul>\n${rows
        .map((row) => `<li>${escapeHtml(row)}</li>`)
        .join('\n')}\n</ul>`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b; }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 1.6rem }
dt { font-weight: 600 } dd { margin: 0 0 .5rem; overflow-wrap: anywhere } li { overflow-wrap: anywhere }
@media print { body { margin: 0; font-size: 11pt } }
</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(lead)}</p>
<dl>
${facts.map(([name, value]) => `<dt>${escapeHtml(name)}</dt>\n<dd>${escapeHtml(value)}</dd>`).join('\n')}
</dl>
${parts.join('\n')}
</body>
</html>
`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** Every character that CommonMark or tables could read as markup, and no other. */
function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_{}[\]<>#|~!&]/g, (character) => `\\${character}`)
}
