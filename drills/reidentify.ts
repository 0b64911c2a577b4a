import { parseArgs } from 'node:util'
import { withPrivacyOffice } from '../cli/privacy-office.ts'
import { attackPlatform, readLookupKey } from './attack/attack-platform.ts'
import { readSpeed, submitErasures, waitForRequests } from './erasure/erase-people.ts'
import { APP, openStage } from './erasure/stage.ts'
import { readCount } from './read-count.ts'
import { createSay } from './say.ts'

/**
 * `npm run drill:reidentify -- --subjects 1000`: everybody is erased; after `closed` an attacker has every disk, the backups and
 * wrapping keys that are left, the look-up key and everybody's address. The same attack before the erasure must succeed, or it
 * proves nothing. Exit 1 when anything opens or links after `closed`. Ends with one line of JSON.
 */
const { values } = parseArgs({
  options: {
    subjects: { type: 'string', default: '50' },
    /** Leaves the platform's home behind, to look into. */
    keep: { type: 'boolean', default: false },
    bystanders: { type: 'string', default: '200' },
    horizon: { type: 'string', default: '90' },
    /** Attacks before the backups have expired: the drill must fail. */
    early: { type: 'boolean', default: false },
  },
})
const say = createSay()
const subjects = readCount('subjects', values.subjects)
const horizonS = Number(values.horizon)

const stage = await openStage({
  subjects,
  bystanders: Number(values.bystanders),
  keep: values.keep,
  horizons: { eventsS: horizonS, backupS: horizonS, keyringBackupS: horizonS, suppressS: horizonS },
  say,
})
let failed = true
try {
  await stage.postgres.query('drill_checkpoint', 'CHECKPOINT', [])
  await withPrivacyOffice(stage.drill.config, async (office) => {
    const lookupKey = await readLookupKey(office.keyring)
    const control = await attackPlatform(stage, lookupKey)
    say(`before the erasure: ${JSON.stringify(control)}`)

    const requestIds = await submitErasures(office, APP, stage.people)
    const times = await waitForRequests(office, requestIds, {
      say,
      timeoutMs: 600_000 + subjects * 1_000 + horizonS * 4_000,
      isDone: ({ state, certifiedAt }) => (values.early ? certifiedAt !== undefined : state === 'closed'),
    })
    const result = await attackPlatform(stage, lookupKey)
    say(`after: ${JSON.stringify(result)}`)
    const canAttack = control.secretsUnwrapped === stage.subjects.length && control.linked === subjects
    if (!canAttack) say('the attack before the erasure did not find everybody: it proves nothing')
    failed = !canAttack || result.secretsUnwrapped > 0 || result.linked > 0
    await stage.stop()
    process.stdout.write(
      `${JSON.stringify({
        subjects,
        secretsUnwrapped: result.secretsUnwrapped,
        linked: result.linked,
        secretsUnwrappedBefore: control.secretsUnwrapped,
        linkedBefore: control.linked,
        ...readSpeed(times),
      })}\n`,
    )
  })
} finally {
  await stage.stop()
}
process.exit(failed ? 1 : 0)
