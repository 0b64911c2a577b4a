import { withPrivacyOffice } from '../../cli/privacy-office.ts'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { createClickHouse } from '../../clickhouse/client.ts'
import { createApp } from '../../postgres/apps.ts'
import { createPostgres, type TransactingPostgres } from '../../postgres/client.ts'
import { createS3, type S3 } from '../../s3/client.ts'
import { createCanaries } from '../scan/canaries.ts'
import { createScanner, type Scanner, type Secret } from '../scan/scanner.ts'
import { batchesOf, createBystander, createPerson, type DrillPerson, FIELDS } from './fields.ts'
import { type NamePlace, readPlaceNames } from './name-places.ts'
import { plantExports, plantProfiles } from './plant.ts'
import { plantYear, someDaysOfTheYear } from './plant-year.ts'
import { type DrillPlatform, type Horizons, startDrillPlatform } from './platform.ts'
import { runPlatformJobs } from './platform-jobs.ts'
import { sendBatches, waitForIngest } from './send-people.ts'
import { readSubjectBytes, type SubjectBytes } from './subject-bytes.ts'

export const APP = 'drill'
const DAY_MS = 86_400_000

/** A platform full of people: those who will be erased, each with a canary in every field, and those who stay. */
export interface DrillStage {
  drill: DrillPlatform
  /** Of the platform's own collector. */
  collectorUrl: string
  /** Of the app whose people these are. */
  writeKey: string
  clickhouse: ClickHouseClient
  postgres: TransactingPostgres
  keyring: TransactingPostgres
  s3: S3
  people: DrillPerson[]
  /** What stood for the people before they were erased. */
  subjects: SubjectBytes[]
  /** Days that the batch tables hold. */
  days: string[]
  /** A search for the people's canaries, and for `secrets` besides. */
  createScanner(secrets: readonly Secret[], onBytes?: (data: Buffer) => void): Scanner
  /** Name of a canary's field. */
  fieldOf(field: number): string
  readPlaces(): Promise<NamePlace>
  stop(): Promise<void>
}

export interface StageOptions {
  subjects: number
  bystanders: number
  /** Events of a year of yet others; none by default. */
  events?: number
  horizons: Horizons
  environment?: Record<string, string>
  /** Leaves the home behind, to look into. */
  keep?: boolean
  say(line: string): void
}

/** Starts the platform and plants, through each way in: collector, vault, exports, daily ETL, archive, backups. */
export async function openStage(options: StageOptions): Promise<DrillStage> {
  const { say } = options
  const drill = await startDrillPlatform(options)
  const { config } = drill
  // Read before another collector is started.
  const { collectorUrl } = drill.platform
  const clickhouse = createClickHouse(config, { requestTimeoutMs: 300_000 })
  const postgres = createPostgres(config.postgres.url, { connections: 2, timeoutMs: 300_000 })
  const keyring = createPostgres(config.postgres.keyringUrl, { connections: 1, timeoutMs: 300_000 })
  const s3 = createS3(config)
  const close = async () => {
    await Promise.allSettled([clickhouse.close(), postgres.close(), keyring.close()])
    s3.close()
    await drill.stop()
  }
  try {
    const { writeKey } = await createApp(postgres, { app: APP })
    const canaries = createCanaries()
    const people = Array.from({ length: options.subjects }, (_, i) => createPerson(canaries, i))
    await sendAll(drill, writeKey, people, options.bystanders)
    await waitForIngest(config)
    say(`sent and stored: ${people.length} who will be erased, ${options.bystanders} who stay`)

    const subjects = await withPrivacyOffice(config, (office) =>
      readSubjectBytes(postgres, office.keyring, APP, people),
    )
    const byIndex = new Map(people.map((person) => [person.index, person]))
    await plantProfiles(postgres, APP, subjects, byIndex)
    await plantExports(s3, subjects, byIndex)
    if (options.events) {
      await plantYear(clickhouse, { app: APP, subjects, events: options.events })
      say(`a year of ${options.events} events of others`)
    }
    const days = [new Date(Date.now() - DAY_MS).toISOString().slice(0, 10)]
    await runPlatformJobs(config, days, say)
    return {
      ...{ drill, collectorUrl, writeKey, clickhouse, postgres, keyring, s3, people, subjects },
      days: [...days, ...(options.events ? someDaysOfTheYear() : [])],
      createScanner: (secrets, onBytes) => createScanner(canaries, secrets, onBytes),
      fieldOf: (field) => FIELDS[field] ?? 'unknown field',
      readPlaces: () => readPlaceNames(drill.home, clickhouse, [postgres, keyring]),
      stop: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * Events of two days, through a collector that takes old ones: the platform's own one has the drill's short horizon for
 * late events.
 */
async function sendAll(
  { platform }: DrillPlatform,
  writeKey: string,
  people: readonly DrillPerson[],
  bystanders: number,
): Promise<void> {
  await platform.startProcess({
    kind: 'collector',
    name: 'collector-of-old-events',
    environment: { EBB_SUPPRESS_S: String(30 * 86_400) },
  })
  const url = platform.collectorUrl
  const times = [Date.now() - DAY_MS, Date.now() - 60_000]
  function* batches() {
    for (const person of people) yield* batchesOf(person, times)
    for (let i = 0; i < bystanders; i += 25) {
      const some = Array.from({ length: Math.min(25, bystanders - i) }, (_, k) => createBystander(i + k))
      yield { batch: some.flatMap((person) => batchesOf(person, times)).flatMap(({ batch }) => batch) }
    }
  }
  await sendBatches(url, writeKey, batches())
  platform.kill('collector-of-old-events', 'SIGTERM')
}
