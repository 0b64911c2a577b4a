import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { PROJECT_ROOT } from '../../runtime/project-root.ts'
import { reservePorts } from '../../services/reserve-port.ts'
import { PROCESS_SCRIPTS, type ProcessKind, processArguments } from '../../services/start-platform.ts'
import { createStage, type Stage } from '../stage.ts'

const DURATION = z.string().regex(/^(\d+(us|ms|s|m|h))+$/)
const SCALAR = z.union([z.string(), z.number()])

// The part of the Compose specification that the file uses; strict, so that a misspelt key is seen.
const Service = z.strictObject({
  image: z.string(),
  build: z.literal('.').optional(),
  init: z.boolean().optional(),
  restart: z.enum(['no', 'always', 'on-failure', 'unless-stopped']),
  stop_grace_period: DURATION.optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), SCALAR),
  ports: z.array(z.string()).optional(),
  volumes: z.array(z.string()).optional(),
  ulimits: z.record(z.string(), z.strictObject({ soft: z.number(), hard: z.number() })).optional(),
  depends_on: z
    .record(
      z.string(),
      z.strictObject({
        condition: z.enum(['service_started', 'service_healthy', 'service_completed_successfully']),
      }),
    )
    .optional(),
  healthcheck: z.union([
    z.strictObject({ disable: z.literal(true) }),
    z.strictObject({
      test: z.tuple([z.enum(['CMD', 'CMD-SHELL']), z.string()]).rest(z.string()),
      interval: DURATION,
      timeout: DURATION,
      retries: z.number().int(),
      start_period: DURATION,
    }),
  ]),
})
const Compose = z
  .object({
    name: z.string(),
    services: z.record(z.string(), Service),
    volumes: z.record(z.string(), z.null()),
  })
  .catchall(z.unknown())

const file = parse(readFileSync(join(PROJECT_ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }) as Record<
  string,
  unknown
>
const compose = Compose.parse(file)
const services = Object.entries(compose.services)

describe('docker-compose.yml', () => {
  test('has the keys of the Compose specification and no others', () => {
    const extra = Object.keys(file).filter((key) => !['name', 'services', 'volumes'].includes(key))
    expect(extra.filter((key) => !key.startsWith('x-'))).toEqual([])
  })

  test.each(services)('%s: its image is pinned and its health is checked', (_, service) => {
    expect(service.image).toMatch(/^[a-z0-9/-]+:v?\d+(\.\d+)+$/)
    if ('disable' in service.healthcheck) expect(service.restart).toBe('no')
  })

  test.each(services)('%s: what it waits for exists and can fulfil the condition', (_, service) => {
    for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
      const other = compose.services[name]
      expect(other, name).toBeDefined()
      if (condition === 'service_healthy') expect(other?.healthcheck).not.toHaveProperty('disable')
      if (condition === 'service_completed_successfully') expect(other?.restart).toBe('no')
    }
  })

  test.each(services)(
    '%s: its volumes are declared, its files exist, its ports are on loopback',
    (_, service) => {
      for (const volume of service.volumes ?? []) {
        const source = volume.split(':')[0] ?? ''
        if (source.startsWith('./')) expect(existsSync(join(PROJECT_ROOT, source))).toBe(true)
        else expect(Object.keys(compose.volumes)).toContain(source)
      }
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
    },
  )

  test('an engine that a URL names is a service that is there', () => {
    for (const [name, service] of services) {
      for (const [key, value] of Object.entries(service.environment)) {
        const host = /(?:@|:\/\/|^)([a-z0-9-]+):\d+/.exec(String(value))?.[1]
        if (!key.startsWith('EBB_') || !host || host === '127') continue
        expect(Object.keys(compose.services), `${name}: ${key}`).toContain(host)
      }
    }
  })

  test('each process of the platform is in it, with the script and the options that `ebb up` gives', () => {
    for (const kind of Object.keys(PROCESS_SCRIPTS) as ProcessKind[]) {
      const ran = processArguments(kind).map((one) => one.replace(PROJECT_ROOT + sep, ''))
      expect(compose.services[kind]?.command).toEqual(['node', ...ran])
    }
  })
})

describe('with exactly the environment names and the command of docker-compose.yml', () => {
  let stage: Stage
  const ports = reservePorts('free')
  beforeAll(async () => {
    stage = await createStage({ migrate: false })
  })
  afterAll(async () => {
    await ports.release()
    await stage?.close()
  })

  // The names are the file's; the values are this machine's: hosts of the test engines, free ports.
  const environmentOf = async (service: z.infer<typeof Service>): Promise<Record<string, string>> => {
    const environment: Record<string, string> = { PATH: process.env.PATH ?? '' }
    for (const [key, value] of Object.entries(service.environment)) {
      if (key.endsWith('_PORT')) environment[key] = String(await ports.take(0))
      else if (/^EBB_(COLLECTOR|GATEWAY)_HOST$/.test(key)) environment[key] = '127.0.0.1'
      else environment[key] = stage.environment[key] ?? String(value)
    }
    // The stage's corner of the shared engines; in the file these keys have their defaults.
    for (const key of ['EBB_TOPIC_PREFIX', 'EBB_CLICKHOUSE_DATABASE', 'EBB_TEMPORAL_TASK_QUEUE']) {
      environment[key] = stage.environment[key] ?? ''
    }
    // The test's ClickHouse is one server without Keeper; services/compose-engines.test.ts looks at the cluster.
    delete environment.EBB_CLICKHOUSE_CLUSTER
    return environment
  }

  test('`migrate` completes', async () => {
    const service = compose.services.migrate
    const [command = '', ...args] = service?.command ?? []
    const environment = await environmentOf(service!)
    const done = spawnSync(command, args, { cwd: PROJECT_ROOT, env: environment, encoding: 'utf8' })
    expect(done.stderr).toBe('')
    expect(done.status).toBe(0)
  })

  test.each(Object.keys(PROCESS_SCRIPTS))(
    '`%s` starts, passes its health check and stops on SIGTERM',
    async (name) => {
      const service = compose.services[name]!
      const environment = await environmentOf(service)
      const [command = '', ...args] = service.command ?? []
      const child = spawn(command, args, {
        cwd: PROJECT_ROOT,
        env: environment,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let output = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)))
      const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
      try {
        const check = 'test' in service.healthcheck ? service.healthcheck.test : []
        const [checkCommand = '', ...checkArgs] = check.slice(1)
        const healthy = async () =>
          new Promise<boolean>((resolve) => {
            const probe = spawn(checkCommand, checkArgs, { env: environment, stdio: 'ignore' })
            probe.once('exit', (code) => resolve(code === 0))
          })
        const deadline = Date.now() + 45_000
        while (child.exitCode === null && Date.now() < deadline && !(await healthy())) await sleep(300)
        expect(await healthy(), output).toBe(true)
        child.kill('SIGTERM')
        expect(await ended, output).toBe(0)
      } finally {
        child.kill('SIGKILL')
      }
    },
  )
})
