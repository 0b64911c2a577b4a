import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type PrivacyOffice, withPrivacyOffice } from '../cli/privacy-office.ts'
import { createRandom } from '../runtime/random.ts'
import { type RequestTimes, readRequestTimes, submitErasures } from './erasure/erase-people.ts'
import { APP, type DrillStage, openStage } from './erasure/stage.ts'
import { type Fault, injectFault } from './inject-faults.ts'
import { readCount } from './read-count.ts'
import { type Answer, answerRequest } from './saga/answer-request.ts'
import {
  answerToReach,
  drawSagaFault,
  SAGA_POINTS,
  SHARE_OF_POINTS,
  WORKERS,
} from './saga/draw-saga-fault.ts'
import {
  endOf,
  findBrokenPartials,
  findBrokenWords,
  findWithdrawn,
  type GivenAnswer,
} from './saga/judge-ends.ts'
import { replaySagas } from './saga/replay-sagas.ts'
import { type CertificateWatch, watchCertificates } from './saga/watch-certificates.ts'
import { createSay } from './say.ts'

/**
 * `npm run drill:saga -- --kills 200 [--seed S]`: while people are erased, workers and engines are killed before and after each effect of
 * the sagas, and at random. Every saga must end complete or visibly blocked, and in the moment in which a certificate
 * appears nothing may be left. Exit 1 otherwise. Ends with one line of JSON.
 */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    /** Number of the first fault, of which most are drawn in turn: see drawSagaFault. */
    from: { type: 'string', default: '0' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    /** Leaves the platform's home behind, to look into. */
    keep: { type: 'boolean', default: false },
    bystanders: { type: 'string', default: '100' },
    /** Seconds that sagas have after the last kill; a step that died with its worker is tried again with a growing pause. */
    settle: { type: 'string', default: '900' },
    horizon: { type: 'string', default: '30' },
  },
})
const kills = readCount('kills', values.kills)
/** A boundary may not be reached in time; then another fault is tried. */
const attempts = kills * 2
const first = Number(values.from)
const seed = Number(values.seed)
const random = createRandom(seed)
const horizonS = Number(values.horizon)
const say = createSay()
/** How long a boundary is waited for: twice what a killed step is missed for, since the batch that it holds up is everybody's. */
const POINT_WAIT_MS = 30_000
/** A hold ends after its certificate, a store that is away is tried for half a minute: two batches are on the way there. */
const ANSWERED_WAIT_MS = 90_000
/** On its last turn a boundary is waited for as long as a saga may take to it; the last ones lie behind a certificate and a horizon. */
const MISSED_WAIT_MS = 180_000
/** Faults in which every boundary has its turn. */
const ROUND = Math.ceil(SAGA_POINTS.length * 1.5)
const faultFile = join(tmpdir(), `ebb-fault-${process.pid}`)

say(`seed ${seed}, ${kills} kills`)
const stage = await openStage({
  // One more than its share, wherever the faults begin, and one for each boundary that was missed.
  subjects: Math.max(
    6,
    Math.ceil(attempts * SHARE_OF_POINTS) + 1 + (kills >= ROUND ? SAGA_POINTS.length : 0),
  ),
  bystanders: Number(values.bystanders),
  keep: values.keep,
  horizons: { eventsS: horizonS, backupS: horizonS, keyringBackupS: horizonS, suppressS: horizonS },
  environment: { EBB_FAULT: `@${faultFile}`, EBB_LOG_LEVEL: 'warn', EBB_ERASE_BATCH_S: '1' },
  say,
})
const requestIds: string[] = []
const personOf = new Map<string, number>()
/** By request. */
const answers = new Map<string, GivenAnswer>()
/** Boundaries that were drawn, and those of them at which something was killed. */
const boundaries = { drawn: new Set<string>(), struck: new Set<string>() }
let isOver = false
let failed = true

/** One more erasure, so that the next boundary is reached: there is a person for each. Tried until the engines that it needs are there. */
async function eraseNext(
  office: PrivacyOffice,
  { people }: DrillStage,
  watch: CertificateWatch,
  answer?: Answer,
): Promise<void> {
  const person = people[requestIds.length]!
  for (let tries = 0; ; tries++) {
    try {
      const [requestId] = await submitErasures(office, APP, [person])
      requestIds.push(requestId!)
      personOf.set(requestId!, person.index)
      if (answer) giveAnswer(office, requestId!, answer, watch)
      return
    } catch (error) {
      if (tries === 60) throw error
      await sleep(500)
    }
  }
}

/** It is not waited for: the worker that would take it may stand still. */
function giveAnswer(
  office: PrivacyOffice,
  requestId: string,
  answer: Answer,
  { hasSearched }: CertificateWatch,
): void {
  const times = { mayRelease: () => hasSearched(requestId), isOver: () => isOver }
  const { platform } = stage.drill
  const store = {
    leave: () => platform.kill('clickhouse', 'SIGKILL'),
    comeBack: () => platform.restart('clickhouse'),
  }
  const outcome = answerRequest(office, { requestId, answer, times, store }).catch((error) => {
    say(`an officer's ${answer} failed: ${error}`)
    return 'failed' as const
  })
  answers.set(requestId, { answer, outcome })
}

type Erase = (answer?: Answer) => Promise<void>

async function strike(
  n: number,
  fault: Fault | { kind: 'cold' },
  erase: Erase,
  waitMs = POINT_WAIT_MS,
): Promise<boolean> {
  const { platform } = stage.drill
  if (fault.kind === 'cold') {
    for (const name of WORKERS) platform.kill(name, 'SIGKILL')
    await Promise.all(WORKERS.map((name) => platform.restart(name)))
    say(`${String(n).padStart(4)} both workers start cold`)
    return true
  }
  const point = 'point' in fault ? fault.point : undefined
  const answer = point === undefined ? undefined : answerToReach(point)
  const pointWaitMs = answer ? ANSWERED_WAIT_MS : waitMs
  const hit = await injectFault(platform, faultFile, fault, { pointWaitMs, onArmed: () => erase(answer) })
  if (point) boundaries.drawn.add(point)
  if (point && hit) boundaries.struck.add(point)
  say(`${String(n).padStart(4)} ${hit ? '' : '(not reached) '}${JSON.stringify(fault)}`)
  // Its store is back before the next fault, which may be the store's own.
  if (answer === 'partial') await answers.get(requestIds.at(-1)!)?.outcome
  return hit
}

/** A boundary that no fault came to in time gets one more of its own. @returns how many struck */
async function strikeMissed(erase: Erase): Promise<number> {
  let struck = 0
  for (const { victim, point } of SAGA_POINTS) {
    if (!boundaries.drawn.has(point) || boundaries.struck.has(point)) continue
    // Numbered after all that are drawn.
    const fault = { kind: 'point', victim, point, nth: 1, inMidst: true } as const
    if (await strike(first + attempts, fault, erase, MISSED_WAIT_MS)) struck++
  }
  return struck
}

try {
  await withPrivacyOffice(stage.drill.config, async (office) => {
    const watch = watchCertificates(stage, personOf, say)
    const erase: Erase = (answer) => eraseNext(office, stage, watch, answer)
    let struck = 0
    for (let n = first; struck < kills && n < first + attempts; n++) {
      if (await strike(n, drawSagaFault(n, random), erase)) struck++
    }
    const more = kills >= ROUND ? await strikeMissed(erase) : 0
    say('no more kills; the sagas go on')
    const deadline = Date.now() + Number(values.settle) * 1_000
    const endOfOne = ({ requestId, state }: RequestTimes) => endOf(state, answers.get(requestId)?.answer)
    let times = await readRequestTimes(office, requestIds)
    while (times.some((one) => !endOfOne(one)) && Date.now() < deadline) {
      await sleep(1_000)
      times = await readRequestTimes(office, requestIds)
    }
    isOver = true
    await watch.stop()
    const broken = [
      ...(await findBrokenWords(times, answers)),
      ...(await findBrokenPartials(stage.postgres, times, answers)),
    ]
    for (const line of broken) say(`an officer's word did not hold: ${line}`)
    const unrepeatable = await replaySagas(office.config, requestIds)
    for (const line of unrepeatable) say(`not replayed: ${line}`)
    const isVisible = (one: RequestTimes) =>
      endOfOne(one) ?? ['certified', 'stuck', 'held'].includes(one.state)
    const lost = times.filter((one) => !isVisible(one)).map(({ state }) => state)
    if (lost.length > 0) say(`neither complete nor visibly blocked: ${lost.join(', ')}`)
    const withdrawn = await findWithdrawn(stage.postgres)
    for (const requestId of withdrawn) say(`withdrawn for a survivor: a certificate of ${requestId}`)
    const missed = [...boundaries.drawn].filter((point) => !boundaries.struck.has(point))
    for (const point of missed) say(`never struck: ${point}`)
    const count = (isMeant: (one: RequestTimes) => boolean) => times.filter(isMeant).length
    const report = {
      ...{ kills: struck + more, seed, boundaries: boundaries.struck.size, sagas: requestIds.length },
      complete: count((one) => endOfOne(one) !== undefined),
      endedByOfficers: count((one) => endOfOne(one) === 'by an officer'),
      certified: count(({ certifiedAt }) => certifiedAt !== undefined),
      blocked: count(({ state }) => state === 'stuck'),
      certificatesChecked: watch.seen(),
      certificatesWithdrawn: withdrawn.length,
      notReplayed: unrepeatable.length,
      prematureCertificates: watch.premature(),
    }
    failed =
      report.prematureCertificates > 0 ||
      report.complete + report.blocked < report.sagas ||
      report.certificatesChecked < report.certified + count(({ state }) => state === 'closed') ||
      broken.length + unrepeatable.length > 0 ||
      struck < kills ||
      (kills >= ROUND && missed.length > 0)
    await stage.stop()
    process.stdout.write(`${JSON.stringify(report)}\n`)
  })
} finally {
  rmSync(faultFile, { force: true })
  await stage.stop()
}
process.exit(failed ? 1 : 0)
