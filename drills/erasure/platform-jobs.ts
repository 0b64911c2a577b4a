import { randomUUID } from 'node:crypto'
import { Client, Connection } from '@temporalio/client'
import { connectEtl } from '../../cli/run-etl.ts'
import type { Config } from '../../runtime/config.ts'
import type { archiveDay, backup } from '../../workflows/index.ts'

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
  const { address, namespace, taskQueue } = config.temporal
  const connection = await Connection.connect({ address })
  try {
    const client = new Client({ connection, namespace })
    const own = () => ({
      taskQueue,
      workflowId: `drill-${randomUUID()}`,
      workflowExecutionTimeout: '10m' as const,
    })
    for (const day of days) {
      const { rows, files } = await client.workflow.execute<typeof archiveDay>('archiveDay', {
        ...own(),
        args: [{ day }],
      })
      say(`archive of ${day}: ${rows} rows in ${files} files`)
    }
    const { backups, segments } = await client.workflow.execute<typeof backup>('backup', {
      ...own(),
      args: [{}],
    })
    say(
      `backups: ${backups.map(({ kind, bytes }) => `${kind} ${bytes} bytes`).join(', ')}, ${segments} segments of log`,
    )
  } finally {
    await connection.close()
  }
}
