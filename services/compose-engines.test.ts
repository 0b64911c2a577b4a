import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { VERIFIER_CREDENTIALS } from '../runtime/verifier-credentials.ts'
import { RESIDUES } from '../schemas/data-map.ts'
import { serverProperties } from './kafka.ts'
import { PROCESS_SCRIPTS, type ProcessKind, withOwnCredentials } from './own-processes.ts'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

interface Service {
  environment: Record<string, string | number>
  volumes?: string[]
  command?: string[]
}
const { services } = parse(read('../docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>
}

describe('the real ClickHouse of docker-compose.yml', () => {
  const config = parse(read('clickhouse-cluster.yaml'))

  test('has Replicated tables: every process of ours names the one cluster that the server has', () => {
    expect(Object.keys(config.remote_servers)).toEqual(['ebb'])
    for (const name of ['migrate', ...Object.keys(PROCESS_SCRIPTS)]) {
      expect(services[name]?.environment.EBB_CLICKHOUSE_CLUSTER, name).toBe('ebb')
    }
  })

  test('reaches the Keeper inside it, which is one node and keeps its log on the volume', () => {
    const { keeper_server: keeper, zookeeper, macros } = config
    expect(zookeeper.node.port).toBe(keeper.tcp_port)
    expect(keeper.raft_configuration.server.id).toBe(keeper.server_id)
    const volume = services.clickhouse?.volumes?.find((one) => one.startsWith('clickhouse:'))?.split(':')[1]
    expect(keeper.log_storage_path.startsWith(`${volume}/`)).toBe(true)
    expect(keeper.snapshot_storage_path.startsWith(`${volume}/`)).toBe(true)
    expect(macros).toEqual({ shard: '1', replica: '1' })
  })

  test('forgets what it logs of statements within days, and has old parts off the disk within a minute', () => {
    const { residue } = RESIDUES.find((one) => one.residue.startsWith('query_log'))!
    for (const log of residue.replace(/ \(.*/, '').split(', '))
      expect(config[log]?.ttl, log).toBe('event_date + INTERVAL 3 DAY DELETE')
    const { old_parts_lifetime: lifetime, ...cleanup } = config.merge_tree
    expect(lifetime + cleanup.cleanup_delay_period + cleanup.cleanup_delay_period_random_add).toBeLessThan(60)
  })

  test('reads both of our files', () => {
    const mounted = services.clickhouse?.volumes?.filter((volume) => volume.startsWith('./services/'))
    expect(mounted).toEqual([
      './services/clickhouse-users.xml:/etc/clickhouse-server/users.d/bi.xml:ro',
      './services/clickhouse-cluster.yaml:/etc/clickhouse-server/config.d/cluster.yaml:ro',
    ])
  })
})

describe('the verifier', () => {
  const pairs = Object.entries(VERIFIER_CREDENTIALS)
  const ofStores = pairs.filter(([key]) => key.startsWith('EBB_'))

  test('has credentials of its own for every store, and not the erasers’ (the key file it shares)', () => {
    const { environment } = services.verifier!
    for (const [key, own] of ofStores) {
      expect(environment[key], key).toBe(environment[own])
      expect(environment[key], key).not.toBe(services['temporal-worker']?.environment[key])
      if (key.endsWith('_URL')) expect(new URL(String(environment[own])).username, key).toBe('ebb_verifier')
    }
    expect(Object.values(environment).join('\n')).not.toContain('//ebb:')
    expect(services.verifier?.volumes).toEqual(services['temporal-worker']?.volumes)
  })

  test('has the one account of object storage, which migrations let into the buckets', () => {
    const { accessAccounts } = JSON.parse(read('s3-accounts.json'))
    const { EBB_S3_ACCESS_KEY: access, EBB_S3_SECRET_KEY: secret } = services.verifier!.environment
    expect(accessAccounts).toEqual({ [String(access)]: { access, secret, role: 'user' } })
    expect(services.migrate?.environment.EBB_VERIFIER_S3_PRINCIPAL).toBe(access)
    const mount = services.s3?.volumes?.find((volume) => volume.startsWith('./services/s3-accounts.json:'))
    const folder = services.s3?.command?.[services.s3.command.indexOf('--iam-dir') + 1]
    expect(mount).toBe(`./services/s3-accounts.json:${folder}/users.json:ro`)
  })

  test('shares them with nobody but the migration that makes its user', () => {
    for (const [name, { environment }] of Object.entries(services)) {
      const known = pairs.map(([, own]) => own).filter((own) => own in environment)
      if (name !== 'verifier')
        expect(known, name).toEqual(name === 'migrate' ? ['EBB_VERIFIER_CLICKHOUSE_URL'] : [])
    }
    const urlOf = (name: string) => services[name]?.environment.EBB_VERIFIER_CLICKHOUSE_URL
    expect(urlOf('migrate')).toBe(urlOf('verifier'))
  })

  test('may read from S3 and not write to it, which its grant rests on', () => {
    const { access_control_improvements: improvements } = parse(read('clickhouse-cluster.yaml'))
    expect(improvements.enable_read_write_grants).toBe(true)
  })

  test('started by `ebb up` has its own credentials in place of the erasers’, and is alone in having them', () => {
    const given = Object.fromEntries(
      pairs.flatMap(([key, own]) => [
        [key, `eraser's ${key}`],
        [own, `verifier's ${key}`],
      ]),
    )
    for (const kind of Object.keys(PROCESS_SCRIPTS) as ProcessKind[]) {
      const has = withOwnCredentials(kind, given)
      const whose = kind === 'verifier' ? "verifier's" : "eraser's"
      for (const [key, own] of pairs) {
        expect(has[key], kind).toBe(`${whose} ${key}`)
        expect(own in has, kind).toBe(kind === 'verifier')
      }
    }
  })

  test('started by `ebb up` keeps everyone’s where it has none of its own', () => {
    const { EBB_S3_ACCESS_KEY } = withOwnCredentials('verifier', { EBB_S3_ACCESS_KEY: "eraser's" })
    expect(EBB_S3_ACCESS_KEY).toBe("eraser's")
  })
})

describe("the analysts' user", () => {
  const xml = read('clickhouse-users.xml')
  const sql = read('../clickhouse/sql/users/bi.sql')
  const element = (name: string, text = xml) => new RegExp(`<${name}>([^]*?)</${name}>`).exec(text)?.[1] ?? ''
  const [settings = '', constraints = ''] = element('profiles').split('<constraints>')
  const profile = /ALTER SETTINGS PROFILE ebb_bi \{on_cluster\} SETTINGS([^;]*);/.exec(sql)?.[1] ?? ''
  const lines = profile.split(',').map((line) => line.trim())
  const sorted = (list: string[]) => [...list].sort()

  test('has the same limits in docker-compose.yml as by migration', () => {
    const inXml = [...settings.matchAll(/<(\w+)>(\d+)<\/\1>/g)].map(([, name, value]) => `${name} = ${value}`)
    const inSql = lines.flatMap((line) => /^\w+ = \d+/.exec(line)?.[0] ?? [])
    expect(inSql).toContain('readonly = 1')
    expect(sorted(inXml)).toEqual(sorted(inSql))
  })

  test('may change the same settings, as far', () => {
    const inXml = [
      ...constraints.matchAll(/<(\w+)>(?:<min>1<\/min><max>(\d+)<\/max>)?<changeable_in_readonly\/><\/\1>/g),
    ].map(([, name, most]) => `${name} ${most ?? ''}`)
    const inSql = lines
      .filter((line) => line.includes('CHANGEABLE_IN_READONLY'))
      .map((line) => `${/^\w+/.exec(line)?.[0]} ${/ MIN 1 MAX (\d+)/.exec(line)?.[1] ?? ''}`)
    expect(inSql.length).toBeGreaterThan(5)
    expect(sorted(inXml)).toEqual(sorted(inSql))
    expect(constraints.match(/<changeable_in_readonly\/>/g)).toHaveLength(inXml.length)
  })

  test('has the same quota', () => {
    const quota = (name: string) =>
      Number(new RegExp(`<${name}>(\\d+)</${name}>`).exec(element('quotas'))?.[1])
    const wanted = (name: string) =>
      Number(new RegExp(`${name} = (\\d+)`).exec(sql.split('QUOTA')[1] ?? '')?.[1])
    for (const name of ['queries', 'execution_time', 'read_rows'])
      expect(quota(name), name).toBe(wanted(name))
  })
})

test('the Kafka of docker-compose.yml forgets no committed offset before the one of development', () => {
  const setting = /^offsets\.retention\.minutes=(\d+)$/m.exec(serverProperties('/data', 1, 2))?.[1]
  expect(String(services.kafka?.environment.KAFKA_OFFSETS_RETENTION_MINUTES)).toBe(setting)
})
