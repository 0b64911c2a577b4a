import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type PrivacyOffice, withPrivacyOffice } from '../cli/privacy-office.ts'
import { createRandom } from '../runtime/random.ts'
import { readRequestTimes, submitErasures } from './erasure/erase-people.ts'
import { APP, type DrillStage, openStage } from './erasure/stage.ts'
import { injectFault } from './inject-faults.ts'
import { type Answer, answerRequest } from './saga/answer-request.ts'
import { answerToReach, drawSagaFault, SHARE_OF_POINTS, WORKERS } from './saga/draw-saga-fault.ts'
import { watchCertificates } from './saga/watch-certificates.ts'

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
const kills = Number(values.kills)
/** A boundary may not be reached in time; then another fault is tried. */
const attempts = kills * 2
const first = Number(values.from)
const seed = Number(values.seed)
const random = createRandom(seed)
const horizonS = Number(values.horizon)
const startedAt = Date.now()
const say = (line: string) =>
  process.stdout.write(`${((Date.now() - startedAt) / 1_000).toFixed(0).padStart(5)} s  ${line}\n`)
/** How long a boundary is waited for: twice what a killed step is missed for, since the batch that it holds up is everybody's. */
const POINT_WAIT_MS = 30_000
/** A hold ends after its certificate: two batches are on the way there. */
const ANSWERED_WAIT_MS = 90_000
const faultFile = join(tmpdir(), `ebb-fault-${process.pid}`)

say(`seed ${seed}, ${kills} kills`)
const stage = await openStage({
  // One more than its share, wherever the faults begin.
  subjects: Math.max(6, Math.ceil(attempts * SHARE_OF_POINTS) + 1),
  bystanders: Number(values.bystanders),
  keep: values.keep,
  horizons: { eventsS: horizonS, backupS: horizonS, keyringBackupS: horizonS, suppressS: horizonS },
  environment: { EBB_FAULT: `@${faultFile}`, EBB_LOG_LEVEL: 'warn', EBB_ERASE_BATCH_S: '1' },
  say,
})
const requestIds: string[] = []
const personOf = new Map<string, number>()
const answers: Promise<void>[] = []
let isOver = false
let failed = true

/** One more erasure, so that the next boundary is reached: there is a person for each. Tried until the engines that it needs are there. */
async function eraseNext(office: PrivacyOffice, { people }: DrillStage, answer?: Answer): Promise<void> {
  const person = people[requestIds.length]!
  for (let tries = 0; ; tries++) {
    try {
      const [requestId] = await submitErasures(office, APP, [person])
      requestIds.push(requestId!)
      personOf.set(requestId!, person.index)
      // While it is given, the worker that would take it may stand still.
      const wish = { requestId: requestId!, isOver: () => isOver }
      if (answer) answers.push(answerRequest(office, { ...wish, answer }))
      return
    } catch (error) {
      if (tries === 60) throw error
      await sleep(500)
    }
  }
}

async function strike(n: number, erase: (answer?: Answer) => Promise<void>): Promise<boolean> {
  const fault = drawSagaFault(n, random)
  const { platform } = stage.drill
  if (fault.kind === 'cold') {
    for (const name of WORKERS) platform.kill(name, 'SIGKILL')
    await Promise.all(WORKERS.map((name) => platform.restart(name)))
    say(`${String(n).padStart(4)} both workers start cold`)
    return true
  }
  const answer = 'point' in fault ? answerToReach(fault.point) : undefined
  const pointWaitMs = answer ? ANSWERED_WAIT_MS : POINT_WAIT_MS
  const hit = await injectFault(platform, faultFile, fault, { pointWaitMs, onArmed: () => erase(answer) })
  say(`${String(n).padStart(4)} ${hit ? '' : '(not reached) '}${JSON.stringify(fault)}`)
  return hit
}

try {
  await withPrivacyOffice(stage.drill.config, async (office) => {
    const watch = watchCertificates(stage, personOf, say)
    let struck = 0
    for (let n = first; struck < kills && n < first + attempts; n++) {
      if (await strike(n, (answer) => eraseNext(office, stage, answer))) struck++
    }
    say('no more kills; the sagas go on')
    const ended = ['closed', 'cancelled', 'refused']
    const visible = [...ended, 'certified', 'stuck', 'held']
    const deadline = Date.now() + Number(values.settle) * 1_000
    let times = await readRequestTimes(office, requestIds)
    while (times.some(({ state }) => !ended.includes(state)) && Date.now() < deadline) {
      await sleep(1_000)
      times = await readRequestTimes(office, requestIds)
    }
    isOver = true
    await Promise.all([watch.stop(), ...answers])
    const complete = times.filter(({ state }) => ended.includes(state)).length
    const ofOfficers = times.filter(({ state }) => state === 'cancelled' || state === 'refused').length
    const certified = times.filter(({ certifiedAt }) => certifiedAt !== undefined).length
    const blocked = times.filter(({ state }) => state === 'stuck').length
    const lost = times.filter(({ state }) => !visible.includes(state)).map(({ state }) => state)
    if (lost.length > 0) say(`neither complete nor visibly blocked: ${lost.join(', ')}`)
    const report = {
      ...{ kills: struck, seed, sagas: requestIds.length, complete, certified, blocked },
      endedByOfficers: ofOfficers,
      certificatesChecked: watch.seen(),
      prematureCertificates: watch.premature(),
    }
    failed = watch.premature() > 0 || complete + blocked < requestIds.length || struck < kills
    await stage.stop()
    process.stdout.write(`${JSON.stringify(report)}\n`)
  })
} finally {
  rmSync(faultFile, { force: true })
  await stage.stop()
}
process.exit(failed ? 1 : 0)
