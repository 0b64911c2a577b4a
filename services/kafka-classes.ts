import { createHash } from 'node:crypto'
import { realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { EngineContext } from './engine.ts'
import { cacheHome, ensureTool, exists } from './tool-cache.ts'

/** Kafka's Java, and what it runs. */
export interface KafkaRuntime {
  java: string
  version: string
  classPath: string
}

/**
 * An archive of Kafka's classes as the JVM holds them in memory: loading and checking them anew is half of a broker's start. It is
 * made once for each Java and Kafka, by `train`, which runs a broker for a moment with the JVM arguments it gets. A JVM that finds the
 * archive unfit goes on without it.
 * @returns arguments of the JVM; none where the archive could not be made: then the start takes longer, and that is all.
 */
export async function archivedClasses(
  { java, version, classPath }: KafkaRuntime,
  context: EngineContext,
  train: (argument: string, scratch: string) => Promise<void>,
): Promise<string[]> {
  const name = `kafka-${version}-classes-${await hashOf(java, classPath)}`
  const folder = await ensureTool(name, {
    cache: cacheHome(context.environment),
    report: (line) => context.report(`classes of Kafka ${version}: ${line}`),
    async fetch(unfinished) {
      context.report(`archiving the classes of Kafka ${version}, once`)
      try {
        await train(`-XX:ArchiveClassesAtExit=${join(unfinished, ARCHIVE)}`, join(unfinished, 'scratch'))
      } catch (error) {
        context.report(`the classes of Kafka are not archived: ${(error as Error).message}`)
      }
    },
  })
  const archive = join(folder, ARCHIVE)
  return (await exists(archive)) ? [`-XX:SharedArchiveFile=${archive}`] : []
}

const ARCHIVE = 'kafka.jsa'

/** Another Java, also of the same name, needs another archive, and so do jars in another place. */
async function hashOf(java: string, classPath: string): Promise<string> {
  const binary = await realpath(java)
  const { size, mtimeMs } = await stat(binary)
  return createHash('sha256').update([binary, size, mtimeMs, classPath].join('\n')).digest('hex').slice(0, 12)
}
