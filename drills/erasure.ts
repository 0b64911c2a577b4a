import { parseArgs } from 'node:util'
import { type PrivacyOffice, withPrivacyOffice } from '../cli/privacy-office.ts'
import { leaveOut } from '../runtime/left-out-purge.ts'
import { checksumBystanders, compareChecksums } from './erasure/bystanders.ts'
import { findUnequalAggregates } from './erasure/compare-aggregates.ts'
import { readSpeed, submitErasures, waitForRequests } from './erasure/erase-people.ts'
import { readNamedHorizons } from './erasure/horizons.ts'
import { countByPlace } from './erasure/name-places.ts'
import { RESIDUE_CHECKS, type ResidueCheck } from './erasure/residues.ts'
import { APP, type DrillStage, openStage } from './erasure/stage.ts'
import { secretsToFind } from './erasure/subject-bytes.ts'
import { readCount } from './read-count.ts'
import { createSay } from './say.ts'
import { type FileFinding, scanTree } from './scan/scan-tree.ts'

/**
 * `npm run drill:erasure -- --subjects 1000 --bystanders 20000`: canaries in every field of every person, by every way in; all
 * are erased by sagas; then every byte of every engine is searched, after the first certificates and after `closed`.
 * Exit 1 when a promise fails. Ends with one line of JSON.
 */
const { values } = parseArgs({
  options: {
    subjects: { type: 'string', default: '50' },
    /** Leaves the platform's home behind, to look into. */
    keep: { type: 'boolean', default: false },
    bystanders: { type: 'string', default: '500' },
    /** Events of a year of other people besides, in which those who are erased have their share. */
    events: { type: 'string', default: '0' },
    /** Purges that are left out on purpose, by name, separated by commas: the drill must fail. */
    without: { type: 'string', default: '' },
    /** Seconds until what must age has aged. */
    horizon: { type: 'string', default: '90' },
    /** `certified` ends after the first certificates. */
    until: { type: 'string', default: 'closed' },
    /** Seconds that the first certificates may take. Default: ten minutes and a second a person. */
    limit: { type: 'string' },
  },
})
const say = createSay()
const horizonS = Number(values.horizon)
const subjects = readCount('subjects', values.subjects)
const events = Number(values.events)
if (!Number.isInteger(events)) throw new Error('--events is a number of events')
const limitMs = Number(values.limit ?? 600 + subjects) * 1_000

interface Search {
  /** Findings that break the promise. */
  hits: FileFinding[]
  /** All of them, those that the promise allows included. */
  all: FileFinding[]
  places: (file: string) => string
  seconds: number
}

/** Scans everything and says where what was found. @param isAllowed places in which a finding breaks no promise */
async function search(
  stage: DrillStage,
  title: string,
  isAllowed: (place: string) => boolean,
): Promise<Search> {
  const scanner = stage.createScanner(secretsToFind(stage.subjects))
  const from = Date.now()
  const scan = await scanTree(scanner, stage.drill.folders)
  const places = await stage.readPlaces()
  const hits = scan.findings.filter(({ file }) => !isAllowed(places(file)))
  const seconds = (Date.now() - from) / 1_000
  const megabytes = scan.bytes / 1e6
  say(
    `${title}: ${scan.files} files, ${megabytes.toFixed(0)} MB in ${seconds.toFixed(1)} s, ${hits.length} hits`,
  )
  for (const line of countByPlace(hits, places, whatOf(stage)).slice(0, 40)) say(`  ${line}`)
  return { hits, all: scan.findings, places, seconds }
}

const whatOf = (stage: DrillStage) => (finding: FileFinding) =>
  finding.secret?.split(' ')[0] ?? (finding.canary ? stage.fieldOf(finding.canary.field) : 'cut off')

/** Waits until every horizon has come; then nothing may be left anywhere. */
async function closeAndSearch(
  stage: DrillStage,
  office: PrivacyOffice,
  requestIds: readonly string[],
): Promise<Search & { left: string[] }> {
  await waitForRequests(office, requestIds, {
    say,
    timeoutMs: limitMs + horizonS * 6_000,
    isDone: ({ state }) => state === 'closed',
  })
  const closed = await search(stage, 'after closed', () => false)
  return { ...closed, left: sayLeft(closed) }
}

/** Names the residues in which something is left. */
function sayLeft({ all, places }: Search): string[] {
  const left = RESIDUE_CHECKS.filter(({ place }) => all.some(({ file }) => place.test(places(file)))).map(
    ({ engine, residue }) => `${engine}: ${residue}`,
  )
  for (const one of left) say(`left in ${one}`)
  return left
}

async function countCertificates({ postgres }: DrillStage, requestIds: readonly string[]): Promise<number> {
  const [row] = await postgres.query<{ count: string }>(
    'drill_count_certificates',
    `SELECT count(*) FROM certificates
     WHERE request_id = ANY($1::uuid[]) AND kind IN ('certificate', 'closed') AND NOT superseded`,
    [requestIds],
  )
  return Number(row?.count)
}

/** What the drill planted, or a key; the others are pseudonyms: tokens, handles, subject ids. */
const isCanary = ({ canary, secret }: FileFinding) =>
  canary !== undefined || (secret ? /^(secret|phone) /.test(secret) : true)
const count = (findings: readonly FileFinding[], isMeant: (one: FileFinding) => boolean) =>
  findings.filter(isMeant).length

const drilled: Record<string, string> = values.without
  ? { EBB_DRILL: '1', EBB_DRILL_WITHOUT: values.without }
  : {}
leaveOut(drilled)
const stage = await openStage({
  subjects,
  bystanders: Number(values.bystanders),
  events,
  keep: values.keep,
  horizons: { eventsS: horizonS, backupS: horizonS, keyringBackupS: horizonS, suppressS: horizonS },
  environment: drilled,
  say,
})
let failed = true
try {
  const { postgres, clickhouse, drill, days } = stage
  const [person, subject] = [stage.people[0]!, stage.subjects.find((one) => one.person === 0)!]
  const underWay: (() => Promise<void>)[] = []
  const plant = async (checks: readonly ResidueCheck[]) => {
    for (const check of checks) {
      const end = await check.plant({ ...stage, person, subject })
      if (end) underWay.push(end)
    }
  }
  await plant(RESIDUE_CHECKS.filter(({ isFleeting }) => !isFleeting))
  await postgres.query('drill_checkpoint', 'CHECKPOINT', [])
  await plant(RESIDUE_CHECKS.filter(({ isFleeting }) => isFleeting))

  const planted = await search(stage, 'planted', () => false)
  for (const end of underWay) await end()
  const isMet = ({ all, places }: Search, { place, what }: ResidueCheck) =>
    all.some((one) => place.test(places(one.file)) && (what?.test(whatOf(stage)(one)) ?? true))
  const phones = new Set(planted.all.flatMap(({ secret }) => (secret?.startsWith('phone ') ? [secret] : [])))
  if (phones.size < subjects)
    throw new Error(`only ${phones.size} phone numbers were found where they were planted`)
  const misplanted = RESIDUE_CHECKS.filter(
    (check) => !check.isOfErasure && isMet(planted, check) === (check.isPrevented ?? false),
  )
  const saySo = ({ engine, residue, isPrevented }: ResidueCheck) =>
    say(`${engine}: ${residue} ${isPrevented ? 'arose' : 'not found where it was left'}`)
  misplanted.forEach(saySo)

  const gone = new Set(
    stage.subjects.flatMap((one) => [one.token.toString('hex').toUpperCase(), one.subjectId]),
  )
  const before = await checksumBystanders(clickhouse, postgres, gone)
  await withPrivacyOffice(drill.config, async (office) => {
    const requestIds = await submitErasures(office, APP, stage.people)
    say(`${requestIds.length} erasures asked for`)
    const times = await waitForRequests(office, requestIds, {
      say,
      timeoutMs: limitMs,
      isDone: ({ certifiedAt }) => certifiedAt !== undefined,
    })
    const isNamed = await readNamedHorizons(postgres, requestIds)
    const live = await search(stage, 'after the first certificates', isNamed)
    const notOfErasure = RESIDUE_CHECKS.filter((check) => check.isOfErasure && !isMet(live, check))
    notOfErasure.forEach(saySo)
    if (notOfErasure.length > 0 && live.seconds > horizonS)
      say('the search took longer than --horizon: what an erasure leaves may have aged before it was read')
    misplanted.push(...notOfErasure)
    sayLeft({ ...live, all: live.hits })
    const unequal = await findUnequalAggregates(clickhouse, days)
    if (Object.keys(unequal).length > 0) say(`aggregates that differ from raw: ${JSON.stringify(unequal)}`)
    const { changed, examples } = compareChecksums(
      before,
      await checksumBystanders(clickhouse, postgres, gone),
    )
    if (changed > 0) say(`rows of others that changed: ${examples.join(', ')}`)

    const closed = values.until === 'closed' ? await closeAndSearch(stage, office, requestIds) : undefined
    const certificates = await countCertificates(stage, requestIds)
    const report = {
      subjects,
      events,
      certificates,
      canaryHitsLive: count(live.hits, isCanary),
      canaryHitsClosed: closed ? count(closed.hits, isCanary) : null,
      pseudonymHitsLive: count(live.hits, (one) => !isCanary(one)),
      pseudonymHitsClosed: closed ? count(closed.hits, (one) => !isCanary(one)) : null,
      residuesPlanted: RESIDUE_CHECKS.length - misplanted.length,
      residuesLeft: closed ? closed.left.length : null,
      bystandersChanged: changed,
      aggregatesEqualRaw: Object.keys(unequal).length === 0,
      ...readSpeed(times),
    }
    failed =
      live.hits.length + (closed ? closed.hits.length + closed.left.length : 0) > 0 ||
      changed + misplanted.length > 0 ||
      !report.aggregatesEqualRaw ||
      certificates < subjects * (closed ? 2 : 1)
    await stage.stop()
    process.stdout.write(`${JSON.stringify(report)}\n`)
  })
} finally {
  await stage.stop()
}
process.exit(failed ? 1 : 0)
