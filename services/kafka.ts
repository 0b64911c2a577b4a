import { randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { EbbError } from '../runtime/errors.ts'
import { type EngineContext, parseAddress, requireReachable, type StartedEngine } from './engine.ts'
import { archivedClasses, type KafkaRuntime } from './kafka-classes.ts'
import { findOnPath, runCommand } from './run-command.ts'
import { type ProcessSpec, superviseProcess } from './supervise-process.ts'
import { cacheHome, ensureTool, exists, mavenRepositoryArguments } from './tool-cache.ts'

const VERSION = '4.1.0'
const PREFERRED_PORT = 9092
const PREFERRED_CONTROLLER_PORT = 9093
const HEAP_MB = 512

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>ebb</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>${VERSION}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
`

/** One KRaft node, broker and controller in one JVM, data in `<home>/kafka`. */
export async function startKafka(context: EngineContext): Promise<StartedEngine> {
  const given = context.environment.EBB_KAFKA_BROKERS
  if (given) {
    const { host, port } = parseAddress(given.split(',')[0] ?? '', PREFERRED_PORT)
    await requireReachable('EBB_KAFKA_BROKERS', host, port)
    return { environment: { EBB_KAFKA_BROKERS: given }, process: null }
  }
  const runtime: KafkaRuntime = {
    java: await findJava(context),
    version: VERSION,
    classPath: join(await ensureJars(context), '*'),
  }
  const archived = await archivedClasses(runtime, context, (argument, scratch) =>
    runForAMoment(runtime, argument, scratch, context),
  )
  const ports = {
    broker: await context.ports.take(PREFERRED_PORT),
    controller: await context.ports.take(PREFERRED_CONTROLLER_PORT),
  }
  const flags = [...archived, ...(context.brief ? BRIEF : LASTING)]
  const spec = await describeBroker(runtime, flags, join(context.home, 'kafka'), ports)
  await format(runtime, archived, join(context.home, 'kafka'), context)
  const child = await superviseProcess(context.home, {
    ...spec,
    name: 'kafka',
    environment: context.environment,
    report: context.report,
    stopTimeoutMs: 20_000,
  })
  return { environment: { EBB_KAFKA_BROKERS: `127.0.0.1:${ports.broker}` }, process: child }
}

/** A broker that runs for months. */
const LASTING = [`-Xmx${HEAP_MB}m`, `-Xms${HEAP_MB}m`, '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20']
/** One that runs for minutes: compiling its code well would cost more CPU than all of its work. */
const BRIEF = [`-Xmx${HEAP_MB}m`, '-Xms128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

interface BrokerPorts {
  broker: number
  controller: number
}

/** Writes a broker's settings into its folder. @returns how it is started, and when it is ready */
async function describeBroker(
  { java, classPath }: KafkaRuntime,
  flags: string[],
  folder: string,
  ports: BrokerPorts,
): Promise<Pick<ProcessSpec, 'command' | 'args' | 'isReady'>> {
  const properties = join(folder, 'server.properties')
  const logging = join(folder, 'log4j2.properties')
  await mkdir(folder, { recursive: true })
  await writeFile(properties, serverProperties(join(folder, 'data'), ports.broker, ports.controller))
  await writeFile(logging, LOGGING)
  return {
    command: java,
    args: [
      ...flags,
      `-Dlog4j2.configurationFile=${logging}`,
      ...['-cp', classPath, 'kafka.Kafka', properties],
    ],
    isReady: () => answers(`127.0.0.1:${ports.broker}`),
  }
}

async function format(
  { java, classPath }: KafkaRuntime,
  archived: string[],
  folder: string,
  { environment, report }: EngineContext,
): Promise<void> {
  if (await exists(join(folder, 'data', 'meta.properties'))) return
  // `E` first: one in 64 random ids starts with a dash, which the tool takes for an option.
  const clusterId = `E${randomBytes(16).toString('base64url').slice(1)}`
  const flags = [...archived, ...BRIEF, `-Dlog4j2.configurationFile=${join(folder, 'log4j2.properties')}`]
  const tool = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', join(folder, 'server.properties')]
  await runCommand(java, [...flags, '-cp', classPath, ...tool], {
    environment,
    task: 'formatting the Kafka folder',
    report,
  })
}

/** A broker in a folder that goes away with it, from its start to its orderly end. @param flag one more for its JVM */
async function runForAMoment(
  runtime: KafkaRuntime,
  flag: string,
  folder: string,
  context: EngineContext,
): Promise<void> {
  const ports = { broker: await context.ports.take(0), controller: await context.ports.take(0) }
  try {
    const spec = await describeBroker(runtime, [...BRIEF, flag], folder, ports)
    await format(runtime, [], folder, context)
    const broker = await superviseProcess(context.home, {
      ...spec,
      name: 'kafka-classes',
      environment: context.environment,
      report: context.report,
      // The archive is written at the end.
      stopTimeoutMs: 5 * 60_000,
    })
    await broker.stop()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** True when the broker serves metadata and knows its controller: an open port alone comes earlier. */
async function answers(broker: string): Promise<boolean> {
  const kafka = new Kafka({
    brokers: [broker],
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
    connectionTimeout: 500,
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    const cluster = await admin.describeCluster()
    return cluster.brokers.length > 0 && cluster.controller !== null
  } finally {
    await admin.disconnect().catch(() => undefined)
  }
}

async function findJava(context: EngineContext): Promise<string> {
  const home = context.environment.JAVA_HOME
  if (home && (await exists(join(home, 'bin', 'java')))) return join(home, 'bin', 'java')
  const java = await findOnPath('java', context.environment)
  if (java) return java
  throw new EbbError(
    'missing_tool',
    'Kafka needs Java 17 or newer, and `java` is not on PATH. Install it (Debian: apt-get install ' +
      'openjdk-17-jre-headless maven; macOS: brew install openjdk@17 maven), or set EBB_KAFKA_BROKERS to a Kafka that runs.',
  )
}

async function ensureJars(context: EngineContext): Promise<string> {
  const folder = await ensureTool(`kafka-${VERSION}`, {
    cache: cacheHome(context.environment),
    report: (line) => context.report(`Kafka ${VERSION}: ${line}`),
    fetch: (unfinished) =>
      fetchJars(unfinished, { pom: POM, task: `fetching Kafka ${VERSION} with Maven`, context }),
  })
  return join(folder, 'jars')
}

/**
 * Copies an artifact and all it depends on into `<folder>/jars`.
 * @throws EbbError `missing_tool` without Maven, `command_failed` when it cannot fetch.
 */
export async function fetchJars(
  folder: string,
  options: {
    pom: string
    task: string
    context: Pick<EngineContext, 'environment' | 'report'> & { signal?: AbortSignal }
  },
): Promise<void> {
  const { environment, report, signal } = options.context
  const maven = await findOnPath('mvn', environment)
  if (!maven)
    throw new EbbError(
      'missing_tool',
      `${options.task}: \`mvn\` is not on PATH. Install Maven (Debian: apt-get install maven; macOS: brew install maven).`,
    )
  report(options.task)
  await writeFile(join(folder, 'pom.xml'), options.pom)
  const args = ['-q', '-B', ...mavenRepositoryArguments(environment), 'dependency:copy-dependencies']
  await runCommand(maven, [...args, `-DoutputDirectory=${join(folder, 'jars')}`], {
    environment,
    cwd: folder,
    task: options.task,
    report,
    ...(signal && { signal }),
  })
}

/** The file `server.properties` of one node, broker and controller. */
export function serverProperties(data: string, port: number, controllerPort: number): string {
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': data,
    'num.partitions': 3,
    'auto.create.topics.enable': false,
    'offsets.topic.replication.factor': 1,
    // One member's groups: fifty partitions of it cost a second at each start and recovery.
    'offsets.topic.num.partitions': 3,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 3,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // After a SIGKILL the new broker is refused until the session of the dead one is over (9 s by default).
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
    // Twice a second a record that says nothing, for controllers that follow another: it was a third of an idle broker's CPU.
    'metadata.max.idle.interval.ms': 0,
    'group.initial.rebalance.delay.ms': 0,
    // The default holds each offset commit back 5 ms; ingest declares its cuts by commits.
    'group.coordinator.append.linger.ms': 0,
    // What has expired or lies under a newer record leaves the disk within seconds (5 minutes and more by default).
    'log.retention.check.interval.ms': 5_000,
    'log.cleaner.backoff.ms': 3_000,
    'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
    // A platform that was stopped for weeks must find how far ingest had come (the default forgets after 7 days).
    'offsets.retention.minutes': 525_600,
  }
  return `${Object.entries(settings)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')}\n`
}

const LOGGING = `rootLogger.level=WARN
rootLogger.appenderRefs=console
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %c{1} %m%n
`
