import { connectEtl } from '../../cli/run-etl.ts'
import type { Config } from '../../runtime/config.ts'

/** What an installation does every night, for these days: daily ETL with its report, archive, backups. */
export async function runPlatformJobs(
  config: Config,
  days: readonly string[],
  say: (line: string) => void,
): Promise<void> {
  const etl = await connectEtl(config)
  try {
    for (const day of days) {
      const { events } = await etl.run(day)
      say(`daily ETL of ${day}: ${events} events`)
      if (events === 0) throw new Error(`the daily ETL of ${day} counted nothing`)
    }
  } finally {
    await etl.close()
  }
}
